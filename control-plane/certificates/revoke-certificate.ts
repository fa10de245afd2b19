import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { cancelCommand } from "../commands/cancel-command.ts";
import { inTransaction, type Sql } from "../database.ts";
import { type RegistryDeps, requestRegistryWrite, writeRegistryNow } from "../stations/station-registry.ts";

/**
 * Revokes a certificate of the organisation's station: the gateways refuse it from the registry write on, and whoever is
 * connected is disconnected. The authority is told by the jobs process. Revoked twice is revoked once.
 */
export async function revokeCertificate(
  registry: RegistryDeps,
  by: { orgId: string; chargePointId: string; certificateId: string; reason: string | undefined },
): Promise<Result<void, { kind: "not-found" }>> {
  const stationId = await inTransaction(registry.pool, async (sql) => {
    const [found] = await sql.query<{ station_id: string }>(
      `select s.id::text as station_id from stations s
       where s.charge_point_id = $1 and s.org_id = $2 and s.retired_at is null
         and exists (select 1 from station_certificates c where c.id = $3 and c.station_id = s.id) for no key update of s`,
      [by.chargePointId, by.orgId, by.certificateId],
    );
    if (found === undefined) return undefined;
    await cancelDelivery(sql, by);
    const revoked = await sql.query(
      `update station_certificates set state = 'revoked', revoked_at = now(), revocation_reason = $2, revocation_due_at = now()
       where id = $1 and revoked_at is null returning id`,
      [by.certificateId, by.reason ?? null],
    );
    if (revoked.length > 0) await requestRegistryWrite(sql, found.station_id, "close-socket");
    return found.station_id;
  });
  if (stationId === undefined) return err({ kind: "not-found" });
  await writeRegistryNow(registry, stationId);
  return ok(undefined);
}

/** A station that installed it now would change over to what it is refused with. */
async function cancelDelivery(
  sql: Sql,
  { orgId, certificateId }: { orgId: string; certificateId: string },
): Promise<void> {
  const [request] = await sql.query<{ command_id: string | null }>(
    `select r.command_id from certificate_requests r join station_certificates c on c.request_id = r.id where c.id = $1`,
    [certificateId],
  );
  if (request?.command_id) await cancelCommand(sql, orgId, request.command_id, {});
}

/**
 * Ends, in the caller's transaction, what a unit was certified with and what it asked for: it is taken away, and whoever has
 * its keys must not pass for what stands in its place. The registry is to be written after it.
 */
export async function endCertificatesOfUnit(sql: Sql, stationId: string, reason: string): Promise<void> {
  await sql.query(
    `update certificate_requests set state = 'failed', reason = $2, due_at = null where station_id = $1 and state in ('accepted', 'issued')`,
    [stationId, reason],
  );
  await sql.query(
    `update station_certificates set state = 'revoked', revoked_at = now(), revocation_reason = $2, revocation_due_at = now()
     where station_id = $1 and revoked_at is null`,
    [stationId, reason],
  );
}
