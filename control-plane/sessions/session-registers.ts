import type { Sql } from "../database.ts";
import { energyRegisterWh, type ShapeMember } from "../transactions/meter-reading.ts";
import type { SessionRow } from "./session-row.ts";

/** The first and the last reading of the energy register that is on record for a session, in Wh. */
export interface Registers {
  firstWh: string | null;
  lastWh: string | null;
}

/** Readings without the register (power alone, temperatures) are looked past, so many of them from each end. */
const LOOKED_AT = 5;

/**
 * The readings of those sessions that run, or whose beginning or end came without one; by session_id. Readings are kept for
 * METER_VALUES_DAYS, so an old session may have none.
 */
export async function readRegisters(sql: Sql, rows: readonly SessionRow[]): Promise<Map<string, Registers>> {
  const asked = rows.filter((row) => row.meter_start_wh === null || row.meter_stop_wh === null);
  if (asked.length === 0) return new Map();
  const found = await sql.query<{ session_id: string; last: boolean; vals: (string | null)[]; members: string }>(
    `select n.session_id, o.last, m.vals::text[] as vals, m.members
     from unnest($1::text[], $2::bigint[], $3::bigint[]) as n (session_id, station_id, id)
     cross join (values (false), (true)) as o (last)
     cross join lateral (
       select * from (
         (select m.sampled_at, m.vals, h.members from meter_values m join meter_shapes h on h.id = m.shape
          where not o.last and m.station_id = n.station_id and m.transaction_id = n.id and h.members like '%"Energy.Active.Import.Register"%'
          order by m.sampled_at limit ${LOOKED_AT})
         union all
         (select m.sampled_at, m.vals, h.members from meter_values m join meter_shapes h on h.id = m.shape
          where o.last and m.station_id = n.station_id and m.transaction_id = n.id and h.members like '%"Energy.Active.Import.Register"%'
          order by m.sampled_at desc limit ${LOOKED_AT})
       ) either
       order by case when o.last then - extract(epoch from sampled_at) else extract(epoch from sampled_at) end
     ) m`,
    [asked.map((row) => row.session_id), asked.map((row) => row.station_id), asked.map((row) => row.id)],
  );
  const registers = new Map<string, Registers>();
  for (const { session_id, last, vals, members } of found) {
    const known = registers.get(session_id) ?? { firstWh: null, lastWh: null };
    const name = last ? "lastWh" : "firstWh";
    const reading = { sampledAt: null, shape: JSON.parse(members) as ShapeMember[], values: vals, raw: undefined };
    known[name] ??= energyRegisterWh([reading], last ? "Transaction.End" : "Transaction.Begin");
    registers.set(session_id, known);
  }
  return registers;
}
