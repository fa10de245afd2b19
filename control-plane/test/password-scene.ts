import { randomBytes } from "node:crypto";
import { type CommandOutcome, sealedPayloadContext } from "@dynamo-csms/proto/command-message";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import { unseal } from "@dynamo-csms/proto/sealed-secret";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { matchPassword } from "@dynamo-csms/proto/station-password";
import { decodeStationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { confirmLogins } from "../credentials/confirm-logins.ts";
import { passwordIn } from "../credentials/new-password.ts";
import { advancePasswordChanges } from "../credentials/send-password-change.ts";
import { inTransaction, openPool } from "../database.ts";
import { replacePassword } from "../stations/provisioning-password.ts";
import { relayRegistryOutbox } from "../stations/registry-outbox.ts";
import { requestRegistryWrite } from "../stations/station-registry.ts";
import { startApiWorld } from "./api-world.ts";

/** The password that every station of the scene has at first. */
export const OLD = "provisioned-password";
/** A station's yes to the command that carries a password: in OCPP 1.6. */
export const accepted = { state: "accepted" as const, response: '{"status":"Accepted"}' };

/** A REST API, and stations whose passwords change: seen by operators, by the gateways and by the stations themselves. */
export async function startPasswordScene() {
  const log = pino({ level: "silent" });
  const world = await startApiWorld();
  const pool = openPool(world.config.databaseUrl, 10, "test");
  // The registry is in the Redis of the whole test run.
  const run = randomBytes(3).toString("hex");
  let made = 0;

  /** A station that logs in with OLD, and what a gateway and the station itself would see of it. */
  async function station(version: "1.6" | "2.0.1" | "2.1" = "1.6") {
    const { key, orgId } = await world.organization();
    const id = `cp-rotation-${run}-${++made}`;
    const [row] = await world.sql.query<{ id: string }>(
      `insert into stations (charge_point_id, identity, identity_spelling, org_id, serial_number, vendor, model, ocpp_version, connector_count)
       values ($1, $1, $1, $2, $1, 'V', 'M', $3, 1) returning id::text as id`,
      [id, orgId, version],
    );
    const stationId = row!.id;
    const { peppers, secretsKey } = world.config;
    await inTransaction(pool, async (sql) => {
      await replacePassword(sql, stationId, OLD, peppers);
      await requestRegistryWrite(sql, stationId);
    });
    await relay();
    const record = async () =>
      decodeStationRecord((await world.redis.hget(stationRecord(id as StationIdentity), "record"))!);
    const unit = {
      id,
      key,
      orgId,
      stationId,
      record,
      rotate: () => world.ask("POST", `/api/v1/charge-points/${id}/rotate-credentials`, { as: key }),
      status: async () => (await world.ask("GET", `/api/v1/charge-points/${id}/credential-rotation`, { as: key })).body,
      commands: () =>
        world.sql.query<{ id: string; action: string; payload: object; sealed_payload: string | null; state: string }>(
          "select id, action, payload, sealed_payload, state from commands where station_id = $1 order by created_at",
          [stationId],
        ),
      /** The password in the newest command, as the station gets it. */
      async sentPassword(): Promise<string> {
        const command = (await unit.commands()).at(-1)!;
        return passwordIn(
          command.action,
          JSON.parse(unseal(secretsKey, sealedPayloadContext(command.id), command.sealed_payload!)),
        )!;
      },
      async end(outcome: CommandOutcome): Promise<void> {
        const { id: commandId } = (await unit.commands()).at(-1)!;
        await world.sql.query("update commands set state = 'sent' where id = $1 and $2 <> 'not_connected'", [
          commandId,
          outcome.state,
        ]);
        await world.sql.query("update commands set valid_until = now() where id = $1 and $2 = 'not_connected'", [
          commandId,
          outcome.state,
        ]);
        await inTransaction(pool, (sql) => recordCommandOutcome(sql, { commandId, outcome, at: new Date() }, { log }));
        await relay();
      },
      /** What the gateways would let in; the intake hears of it as they tell it. */
      async login(wire: Buffer | string): Promise<boolean> {
        const match = matchPassword(Buffer.from(wire as string), (await record()).verifiers, peppers);
        if (match?.asSent !== true) return false;
        await inTransaction(pool, (sql) =>
          confirmLogins(sql, [{ stationId, verifier: match.verifier.digest.slice(0, 16) }]),
        );
        await relay();
        return true;
      },
      /** Who would be let in, without anybody coming in. */
      async accepts(wire: Buffer | string): Promise<boolean> {
        return matchPassword(Buffer.from(wire as string), (await record()).verifiers, peppers)?.asSent === true;
      },
    };
    return unit;
  }

  /** Tells the gateways what changed. */
  const relay = () => relayRegistryOutbox({ pool, redis: world.redis, heartbeatIntervalSeconds: 300, limit: 1_000 });
  /** As if the next step of every change were due. */
  const advance = async () => {
    await world.sql.query("update password_changes set next_step_at = now() where next_step_at is not null");
    await advancePasswordChanges({ pool, secretsKey: world.config.secretsKey, limit: 100 });
  };

  return {
    log,
    world,
    pool,
    station,
    relay,
    advance,
    async close(): Promise<void> {
      await pool.end();
      await world.close();
    },
  };
}

export type PasswordScene = Awaited<ReturnType<typeof startPasswordScene>>;
