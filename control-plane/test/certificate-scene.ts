import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { pino } from "pino";
import type { CertificateAuthority } from "../certificates/certificate-authority.ts";
import { decideSignCertificate } from "../certificates/decide-sign-certificate.ts";
import { createIssueWork } from "../certificates/issue-work.ts";
import { createLocalAuthority } from "../certificates/local-authority.ts";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { inTransaction, openPool } from "../database.ts";
import { findStations } from "../stations/known-station.ts";
import { startApiWorld } from "./api-world.ts";
import { OpenSsl } from "./openssl.ts";

/** A REST API, an authority, and stations that ask it for certificates through the decisions and the jobs. */
export async function startCertificateScene() {
  const openssl = new OpenSsl();
  const log = pino({ level: "silent" });
  const world = await startApiWorld();
  const pool = openPool(world.config.databaseUrl, 10, "test");
  const redis = connectRedis(world.config.redis, "commands", { connectionName: "test", log });
  const { key: caKey, certificate } = openssl.root("ca", 365);
  const authority = createLocalAuthority(caKey, certificate, 90);
  let made = 0;

  /** A station of the organisation "ChargeCo" with the serial number SN-n. */
  async function station(version: OcppVersion = "2.0.1") {
    const { key, orgId } = await world.organization();
    const id = `cp-cert-${++made}`;
    const serialNumber = `SN-${made}`;
    await world.sql.query(
      `insert into stations (charge_point_id, identity, identity_spelling, org_id, serial_number, vendor, model, ocpp_version, connector_count)
       values ($1, $1, $1, $2, $3, 'V', 'M', $4, 1)`,
      [id, orgId, serialNumber, version],
    );
    const known = (await findStations(world.sql, [id])).get(id)!;
    let seq = 0;
    return {
      id,
      key,
      orgId,
      known,
      serialNumber,
      version,
      csr: (subject = `/O=ChargeCo/CN=${serialNumber}`, ...rest: [string[]?, string?]) =>
        openssl.request(subject, ...rest).csr,
      async sign(csr: string, more: object = {}, issuedTypes: readonly string[] = ["ChargingStationCertificate"]) {
        const question = {
          identity: id,
          station: known,
          version,
          epoch: 7,
          seq: ++seq,
          receivedAt: new Date(),
          action: "SignCertificate",
          payloadText: JSON.stringify({ csr, ...more }),
        };
        const certificates = { issuedTypes, ocsp: undefined, contractProvider: undefined, roots: [] };
        const decision = await decideSignCertificate(
          question as Parameters<typeof decideSignCertificate>[0],
          { pool, redis, heartbeatIntervalSeconds: 1, authCacheSeconds: 1, certificates } as Parameters<
            typeof decideSignCertificate
          >[1],
        );
        return decision.kind === "answer" ? (decision.payload as { status: string; statusInfo?: object }) : decision;
      },
      get: async (what: string) => (await world.ask("GET", `/api/v1/charge-points/${id}/${what}`, { as: key })).body,
      /** CertificateSigned commands of the station, oldest first. */
      commands: (action = "CertificateSigned") =>
        world.sql.query<{ id: string; payload: { certificateChain: string }; state: string }>(
          `select id, payload, state from commands where station_id = $1 and action = $2 order by created_at`,
          [known.id, action],
        ),
    };
  }

  /** Does everything that is due, as the jobs process does. */
  async function work(by: CertificateAuthority | undefined = authority) {
    const issuing = createIssueWork({ pool, authority: by, log });
    for (const id of await issuing.due(100)) await issuing.run(id);
  }
  const end = (commandId: string, outcome: Parameters<typeof recordCommandOutcome>[1]["outcome"]) =>
    inTransaction(pool, (sql) => recordCommandOutcome(sql, { commandId, outcome, at: new Date() }, { log }));
  /** As if the time had come. */
  const makeDue = (stationId: string) =>
    world.sql.query(`update certificate_requests set due_at = now() where station_id = $1 and due_at is not null`, [
      stationId,
    ]);

  return {
    openssl,
    log,
    world,
    pool,
    authority,
    station,
    work,
    end,
    makeDue,
    async close(): Promise<void> {
      await pool.end();
      redis.disconnect();
      await world.close();
      openssl.remove();
    },
  };
}

export type CertificateScene = Awaited<ReturnType<typeof startCertificateScene>>;
