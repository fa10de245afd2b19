import type { Sql } from "../database.ts";

const TABLES = [
  "station_verifiers",
  "registry_outbox",
  "password_changes",
  "commands",
  "station_certificates",
] as const;

/**
 * Remembers what Postgres has of a station and of what happens to its access.
 * @returns what makes Postgres one that lost every commit since, as a failover to a standby that lags would.
 */
export async function rememberStation(sql: Sql, stationId: string): Promise<() => Promise<void>> {
  const rowsOf = async (table: string, column = "station_id") =>
    (
      await sql.query<{ row: object }>(`select to_jsonb(t) as row from ${table} t where ${column} = $1`, [stationId])
    ).map(({ row }) => row);
  const [station] = await rowsOf("stations", "id");
  const kept = await Promise.all(TABLES.map(async (table) => [table, await rowsOf(table)] as const));
  return async () => {
    await sql.query(
      `update stations s set registration = o.registration, registry_rev = o.registry_rev, retired_at = o.retired_at,
         security_profile = o.security_profile, ocpp_version = o.ocpp_version
       from jsonb_populate_record(null::stations, $2) o where s.id = $1`,
      [stationId, JSON.stringify(station)],
    );
    for (const [table, rows] of kept) {
      await sql.query(`delete from ${table} where station_id = $1`, [stationId]);
      await sql.query(`insert into ${table} select * from jsonb_populate_recordset(null::${table}, $1)`, [
        JSON.stringify(rows),
      ]);
    }
  };
}
