import type { Logger } from "pino";
import type pg from "pg";
import { sqlOn } from "../database.ts";
import type { DurableWork } from "../jobs/durable-work.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";

/** While one process tells the authority, no other does; and how long until the next attempt. */
const AGAIN_AFTER = "10 minutes";

/** Tells the authority of revocations, until it has heard: telling it twice does no harm. */
export function createRevocationWork(deps: {
  pool: pg.Pool;
  authority: CertificateAuthority | undefined;
  log: Pick<Logger, "warn">;
}): DurableWork {
  const sql = sqlOn(deps.pool);
  const done = (id: string) =>
    sql.query(`update station_certificates set revocation_due_at = null where id = $1`, [id]);
  return {
    name: "certificate-revocations",
    concurrency: 2,
    async due(limit) {
      const rows = await sql.query<{ id: string }>(
        `select id from station_certificates where revocation_due_at <= now() order by revocation_due_at limit $1`,
        [limit],
      );
      return rows.map((row) => row.id);
    },
    async run(id) {
      const [certificate] = await sql.query<{ serialNumber: string; fingerprint: string; reason: string | null }>(
        `update station_certificates set revocation_due_at = now() + interval '${AGAIN_AFTER}' where id = $1 and revocation_due_at <= now()
         returning serial_number as "serialNumber", fingerprint, revocation_reason as reason`,
        [id],
      );
      if (certificate === undefined) return;
      // One without lists of its own has nothing to be told.
      if (deps.authority?.revoke === undefined) return void (await done(id));
      const told = await deps.authority.revoke({ ...certificate, reason: certificate.reason ?? "unspecified" });
      if (told.ok || told.error.kind === "refused") await done(id);
      if (!told.ok) deps.log.warn({ certificateId: id, ...told.error }, "the authority was not told of a revocation");
    },
  };
}
