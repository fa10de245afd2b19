import { randomBytes } from "node:crypto";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { encodeStationRecord } from "@dynamo-csms/proto/station-record";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endChangeOfLostCommand } from "../credentials/password-outcome.ts";
import { confirmLogins } from "../credentials/confirm-logins.ts";
import { inTransaction } from "../database.ts";
import { newProvisioningPassword, replacePassword } from "../stations/provisioning-password.ts";
import { rebuildRegistry } from "../stations/registry-outbox.ts";
import { requestRegistryWrite, requestRegistryWrites } from "../stations/station-registry.ts";
import { accepted, OLD, type PasswordScene, startPasswordScene } from "./password-scene.ts";
import { rememberStation } from "./rolled-back-station.ts";

// Postgres loses its last commits, and Redis does not: what the gateways go by is then newer than what Postgres knows.

let scene: PasswordScene;
beforeAll(async () => void (scene = await startPasswordScene()));
afterAll(() => scene.close());

const remember = (stationId: string) => rememberStation(scene.world.sql, stationId);
/** Something that has nothing to do with passwords makes the record be written. */
async function somethingElse(stationId: string): Promise<void> {
  await inTransaction(scene.pool, (sql) => requestRegistryWrite(sql, stationId));
  await scene.relay();
}
const rebuild = () =>
  rebuildRegistry({ pool: scene.pool, redis: scene.world.redis, heartbeatIntervalSeconds: 300, pageSize: 100 });
const slotsOf = async (stationId: string) =>
  (
    await scene.world.sql.query<{ slot: string }>(
      "select slot from station_verifiers where station_id = $1 order by slot",
      [stationId],
    )
  ).map(({ slot }) => slot);
/** As an installer gives a station a new password. */
async function provision({ stationId }: { stationId: string }): Promise<string> {
  const password = newProvisioningPassword();
  await inTransaction(scene.pool, async (sql) => {
    await replacePassword(sql, stationId, password, scene.world.config.peppers);
    await requestRegistryWrite(sql, stationId);
  });
  await scene.relay();
  return password;
}

test.each([
  ["the next write", somethingElse],
  ["a rebuild", rebuild],
])(
  "[A14] [D7] a provisioning password that Postgres lost lets the station in, and the one it replaced does not: %s",
  async (_, write) => {
    const unit = await scene.station();
    const loseCommits = await remember(unit.stationId);
    const password = await provision(unit);
    await loseCommits();
    await write(unit.stationId);
    expect(await unit.accepts(password)).toBe(true);
    expect(await unit.accepts(OLD)).toBe(false);
    expect(await slotsOf(unit.stationId)).toEqual(["current"]);
    // And it stays so, whoever writes next, and in the other order.
    await rebuild();
    await somethingElse(unit.stationId);
    expect(await unit.accepts(password)).toBe(true);
    expect(await unit.accepts(OLD)).toBe(false);
  },
);

test("[A14] [D7] a login with a password that Postgres does not know is enough to bring it back", async () => {
  const unit = await scene.station();
  const loseCommits = await remember(unit.stationId);
  const password = await provision(unit);
  await loseCommits();
  expect(await unit.login(password)).toBe(true);
  expect(await slotsOf(unit.stationId)).toEqual(["current"]);
  expect(await unit.accepts(OLD)).toBe(false);
});

test("[A14] [D7] a rotation whose end Postgres lost stays ended, and what is told of it again changes nothing", async () => {
  const unit = await scene.station("2.0.1");
  await unit.rotate();
  const password = await unit.sentPassword();
  const loseCommits = await remember(unit.stationId);
  await unit.end({ state: "accepted", response: variableSet });
  expect(await unit.accepts(OLD)).toBe(false);
  await loseCommits();
  await somethingElse(unit.stationId);
  expect(await unit.accepts(OLD)).toBe(false);
  expect(await unit.accepts(password)).toBe(true);
  // The lane tells the end again; or, were it lost, the command would end as never sent.
  await unit.end({ state: "not_connected" });
  await somethingElse(unit.stationId);
  expect(await unit.accepts(password)).toBe(true);
});

test("[A14] [D7] a rotation that ends after the loss ends the old password for good", async () => {
  const unit = await scene.station("2.0.1");
  await unit.rotate();
  const password = await unit.sentPassword();
  const loseCommits = await remember(unit.stationId);
  await somethingElse(unit.stationId);
  await loseCommits();
  await unit.end({ state: "accepted", response: variableSet });
  await somethingElse(unit.stationId);
  expect(await unit.accepts(password)).toBe(true);
  expect(await unit.accepts(OLD)).toBe(false);
  expect(await slotsOf(unit.stationId)).not.toContain("restored_1");
});

const variableSet = JSON.stringify({
  setVariableResult: [
    {
      attributeStatus: "Accepted",
      component: { name: "SecurityCtrlr" },
      variable: { name: "BasicAuthPassword" },
    },
  ],
});

test("[A14] [D7] a rotation that Postgres lost whole: what the station may have taken is accepted until a login tells, also through the next rotation", async () => {
  const unit = await scene.station("2.0.1");
  const loseCommits = await remember(unit.stationId);
  await unit.rotate();
  const lost = await unit.sentPassword();
  await loseCommits();
  await somethingElse(unit.stationId);
  for (const password of [OLD, lost]) expect(await unit.accepts(password)).toBe(true);
  await unit.rotate();
  const next = await unit.sentPassword();
  await unit.end({ state: "rejected", response: variableSet.replace("Accepted", "Rejected") });
  expect(await unit.accepts(next)).toBe(false);
  // A login with the old one tells nothing: the station may take the lost one at its next start.
  expect(await unit.login(OLD)).toBe(true);
  expect(await unit.login(lost)).toBe(true);
  expect(await unit.accepts(OLD)).toBe(false);
  expect(await slotsOf(unit.stationId)).toEqual(["current"]);
});

test("[A14] [D7] a password command whose row Postgres lost ends its change all the same", async () => {
  const unit = await scene.station();
  await unit.rotate();
  const password = await unit.sentPassword();
  const [command] = await unit.commands();
  await scene.world.sql.query("delete from commands where id = $1", [command!.id]);
  await inTransaction(scene.pool, (sql) => endChangeOfLostCommand(sql, command!.id, accepted));
  await scene.relay();
  expect(await unit.accepts(Buffer.from(password, "hex"))).toBe(true);
  expect(await unit.accepts(OLD)).toBe(false);
  // Told again, or of a command that is nobody's: nothing.
  await inTransaction(scene.pool, (sql) => endChangeOfLostCommand(sql, command!.id, { state: "rejected" }));
  await inTransaction(scene.pool, (sql) => endChangeOfLostCommand(sql, "cmd_unknown", accepted));
  await scene.relay();
  expect(await unit.accepts(Buffer.from(password, "hex"))).toBe(true);
});

test("[A14] a retirement and a revocation that Postgres lost stay in force", async () => {
  const unit = await scene.station();
  const loseCommits = await remember(unit.stationId);
  const fingerprint = randomBytes(32).toString("hex");
  const held = await unit.record();
  const key = stationRecord(unit.id as StationIdentity);
  const rev = held.rev + 5;
  // As the lost commits had it written: its certificate, too, is one that Postgres knows no more.
  await scene.world.redis.hset(key, {
    rev: String(rev),
    record: encodeStationRecord({
      ...held,
      rev,
      retired: true,
      securityProfile: 2,
      revokedCertificates: [fingerprint],
    }),
  });
  await loseCommits();
  await somethingElse(unit.stationId);
  await rebuild();
  expect(await unit.record()).toMatchObject({
    retired: true,
    securityProfile: 2,
    revokedCertificates: [fingerprint],
  });
  expect((await unit.record()).rev).toBeGreaterThan(rev);
});

test("[A14] a password that an operator sets after the loss is the only one", async () => {
  const unit = await scene.station();
  const loseCommits = await remember(unit.stationId);
  const lost = await provision(unit);
  await loseCommits();
  const password = await provision(unit);
  await somethingElse(unit.stationId);
  expect(await unit.accepts(password)).toBe(true);
  expect(await unit.accepts(lost)).toBe(false);
  expect(await unit.accepts(OLD)).toBe(false);
});

test("[A14] of another station's record under the same identity nothing is taken; Postgres's is written", async () => {
  const unit = await scene.station();
  const held = await unit.record();
  const rev = held.rev + 1_000_000;
  await scene.world.redis.hset(stationRecord(unit.id as StationIdentity), {
    rev: String(rev),
    record: encodeStationRecord({ ...held, rev, chargePointId: "cp_lost", verifiers: [], retired: true }),
  });
  await somethingElse(unit.stationId);
  expect(await unit.record()).toMatchObject({ chargePointId: unit.id, retired: false });
  // Also past a clock that was ahead by a quarter of an hour.
  expect((await unit.record()).rev).toBeGreaterThan(rev);
  expect(await unit.accepts(OLD)).toBe(true);
});

test("[A14] a revision that Postgres knows is never taken for a lost one, whoever wrote it in between", async () => {
  const unit = await scene.station();
  const before = await unit.record();
  await inTransaction(scene.pool, (sql) => requestRegistryWrite(sql, unit.stationId));
  const [row] = await scene.world.sql.query<{ rev: string }>(
    "select registry_rev::text as rev from stations where id = $1",
    [unit.stationId],
  );
  // Written by the process that asked, which died before it settled that; then something else is asked for.
  await scene.world.redis.hset(stationRecord(unit.id as StationIdentity), {
    rev: row!.rev,
    record: encodeStationRecord({ ...before, rev: Number(row!.rev), verifiers: [], retired: true }),
  });
  await somethingElse(unit.stationId);
  expect(await unit.record()).toMatchObject({ retired: false, verifiers: before.verifiers });
});

test("[A14] a login that matches nothing anywhere changes nothing", async () => {
  const unit = await scene.station();
  await inTransaction(scene.pool, (sql) =>
    confirmLogins(sql, [{ stationId: unit.stationId, verifier: "A".repeat(16) }]),
  );
  await scene.relay();
  expect(await unit.accepts(OLD)).toBe(true);
  expect(await slotsOf(unit.stationId)).toEqual(["current"]);
});

test("[A14] a record that Postgres will not take stays in force, and holds no other one up", async () => {
  const [odd, other] = [await scene.station(), await scene.station()];
  const held = await odd.record();
  const rev = held.rev + 5;
  const key = stationRecord(odd.id as StationIdentity);
  // A version of a later release.
  const record = JSON.stringify({ ...held, rev, ocppVersions: ["2.2"], retired: true });
  await scene.world.redis.hset(key, { rev: String(rev), record });
  const before = await other.record();
  await inTransaction(scene.pool, (sql) => requestRegistryWrites(sql, [odd.stationId, other.stationId]));
  await scene.relay();
  expect((await other.record()).rev).toBeGreaterThan(before.rev);
  expect(await scene.world.redis.hget(key, "rev")).toBe(String(rev));
  // A build that can read it does the rest.
  await scene.world.redis.hset(key, "record", JSON.stringify({ ...held, rev, retired: true }));
  await scene.relay();
  expect((await odd.record()).rev).toBeGreaterThan(rev);
  expect(await odd.record()).toMatchObject({ retired: true });
});
