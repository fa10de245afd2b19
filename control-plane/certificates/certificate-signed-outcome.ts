import type { OutcomeEffect } from "../commands/outcome-effects.ts";

/** So often a certificate is sent that the station does not answer to; then the station has to ask again. */
const ATTEMPTS = 10;

/**
 * The end of a CertificateSigned of ours (OUTCOME_EFFECTS): the station has its new certificate, refuses it, or nobody knows,
 * and it is sent again. The certificates before it are good until they expire: the station changes to the new one when it
 * connects anew, and may keep the old one meanwhile (2.x A02).
 */
export const endCertificateSigned: OutcomeEffect = async (sql, command) => {
  const [request] = await sql.query<{ id: string; station_id: string; certificate_type: string }>(
    `select id, station_id::text as station_id, certificate_type from certificate_requests
     where command_id = $1 and station_id = $2 and state = 'issued' for update`,
    [command.commandId, command.stationId],
  );
  if (request === undefined) return;
  if (command.state === "accepted") {
    await sql.query(`update certificate_requests set state = 'installed', due_at = null where id = $1`, [request.id]);
    await sql.query(
      `update station_certificates set state = 'installed', installed_at = coalesce(installed_at, $2) where request_id = $1 and state = 'issued'`,
      [request.id, command.at],
    );
    await sql.query(
      `update station_certificates set state = 'superseded' where station_id = $1 and certificate_type = $2 and request_id <> $3 and state = 'installed'
         and created_at < (select created_at from station_certificates where request_id = $3)`,
      [request.station_id, request.certificate_type, request.id],
    );
    return;
  }
  if (command.state === "rejected") {
    await sql.query(
      `update certificate_requests set state = 'failed', reason = 'the charge point refused the certificate', due_at = null where id = $1`,
      [request.id],
    );
    await sql.query(`update station_certificates set state = 'refused' where request_id = $1 and state = 'issued'`, [
      request.id,
    ]);
    return;
  }
  await sql.query(
    `update certificate_requests set due_at = case when attempts < $2 then now() + least(30 * 2 ^ attempts, 3600) * interval '1 second' end where id = $1`,
    [request.id, ATTEMPTS],
  );
};
