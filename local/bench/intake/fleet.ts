import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type pg from "pg";

/** A charge point that charges: under this transaction its meter values are filed. */
export interface FleetStation {
  identity: StationIdentity;
  transactionId: number;
}

/** Tables of which a partition for every day is there, as the jobs process makes them. */
const BY_DAY = ["message_log", "meter_values"];

/** Registers charge points with an active transaction each, and makes the partitions of these days: a migrated database, no processes. */
export async function registerFleet(pool: pg.Pool, count: number, version: OcppVersion): Promise<FleetStation[]> {
  await pool.query("insert into organizations (id, name) values ('org_bench', 'Bench')");
  await pool.query(
    `insert into projects (id, org_id, name, site_address, charge_points_expected)
     values ('proj_bench', 'org_bench', 'Bench', 'Street 1', $1)`,
    [count],
  );
  await pool.query(
    `insert into stations (charge_point_id, identity, identity_spelling, org_id, project_id, serial_number, vendor, model, ocpp_version, connector_count, registration)
     select id, id, id, 'org_bench', 'proj_bench', id, 'Vendor', 'Model', $2, 2, 'accepted'
     from (select 'cp_bench' || lpad(n::text, 7, '0') as id from generate_series(1, $1::int) n) made`,
    [count, version],
  );
  const { rows } = await pool.query<{ identity: StationIdentity; transaction_id: string }>(
    `with started as (
       insert into transactions (session_id, org_id, station_id, ocpp_version, transaction_id, connector_id, evse_id, id_token, state, started_at, started_told)
       select 'ses_bench' || id, org_id, id, ocpp_version, (100000 + id)::text, 1, case when ocpp_version <> '1.6' then 1 end, 'TAG', 'active', now(), true
       from stations returning station_id, transaction_id)
     select s.identity, t.transaction_id from started t join stations s on s.id = t.station_id order by s.id`,
  );
  await addPartitions(pool);
  await pool.query("vacuum analyze");
  return rows.map((row) => ({ identity: row.identity, transactionId: Number(row.transaction_id) }));
}

async function addPartitions(pool: pg.Pool): Promise<void> {
  for (let ahead = -1; ahead <= 2; ahead += 1) {
    const from = new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10);
    const to = new Date(Date.now() + (ahead + 1) * 86_400_000).toISOString().slice(0, 10);
    for (const table of BY_DAY)
      await pool.query(
        `create table ${table}_${from.replaceAll("-", "")} partition of ${table} for values from ('${from}') to ('${to}')`,
      );
  }
}
