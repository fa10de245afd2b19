// Security profile 3 locks out a charge point without a certificate: it is not demanded lightly.
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordCertificateUses } from "../certificates/first-uses.ts";
import { type CertificateScene, startCertificateScene } from "./certificate-scene.ts";

let scene: CertificateScene;
let { world, station, work, end } = {} as CertificateScene;
beforeAll(async () => {
  scene = await startCertificateScene();
  ({ world, station, work, end } = scene);
});
afterAll(() => scene.close());

test("profile 3 is demanded of a charge point only when it was seen with a certificate, or when the operator insists", async () => {
  const raise = (unit: { id: string; key: string }, more: object = {}) =>
    world.ask("PATCH", `/api/v1/charge-points/${unit.id}`, { as: unit.key, body: { security_profile: 3, ...more } });
  const unit = await station();
  const refused = { status: 409, body: { code: "conflict", remedy: expect.stringContaining("force") } };
  expect(await raise(unit)).toMatchObject(refused);
  await unit.sign(unit.csr());
  await work();
  await end((await unit.commands())[0]!.id, { state: "accepted", response: '{"status":"Accepted"}' });
  // It has one, as it says; nobody has seen it with it.
  expect(await raise(unit)).toMatchObject(refused);
  const [{ fingerprint }] = (await unit.get("certificates")).certificates;
  await recordCertificateUses(world.sql, [{ stationId: unit.known.id, fingerprint, at: new Date() }]);
  await world.sql.query("update station_certificates set revoked_at = now() where station_id = $1", [unit.known.id]);
  expect(await raise(unit)).toMatchObject(refused);
  await world.sql.query("update station_certificates set revoked_at = null where station_id = $1", [unit.known.id]);
  expect(await raise(unit)).toMatchObject({ status: 200, body: { security_profile: 3 } });

  expect(await raise(await station(), { force: true })).toMatchObject({ status: 200 });

  const others = await station();
  const connectedBy = (listener: 2 | 3, closedAt: Date | null) =>
    world.sql.query(
      `insert into station_connections (station_id, epoch, seq, node_id, remote_address, ocpp_version, notes, opened_at, closed_at, listener)
       values ($1, 1, 1, 'n', '::1', '2.0.1', '{}', now(), $3, $2)
       on conflict (station_id) do update set listener = excluded.listener, closed_at = excluded.closed_at`,
      [others.known.id, listener, closedAt?.toISOString() ?? null],
    );
  await connectedBy(2, null);
  expect(await raise(others)).toMatchObject(refused);
  await connectedBy(3, new Date());
  expect(await raise(others)).toMatchObject(refused);
  await connectedBy(3, null);
  expect(await raise(others)).toMatchObject({ status: 200 });
});
