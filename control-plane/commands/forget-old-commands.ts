import type { Sql } from "../database.ts";

/** A table whose rows go by age. All texts are ours, and stand in statements as they are. */
interface AgingTable {
  table: string;
  /** What its age counts from; indexed together with the key. */
  at: string;
  key: readonly { column: string; type: "text" | "bigint" }[];
  /** Which rows are looked at at all: as the index has it. */
  among: string;
  /** Which of the old rows `t` may go; the others are looked at again another time. $1 is the age in days. */
  gone: string;
}

const OF_STATION = { column: "station_id", type: "bigint" } as const;
const OLD = "now() - make_interval(days => $1::int)";

/** In this order: a command stays for as long as something tells its id. */
const TABLES: readonly AgingTable[] = [
  {
    table: "transfer_jobs",
    at: "requested_at",
    key: [{ column: "command_id", type: "text" }],
    among: "true",
    // One that is open may get its end yet, unless the charge point has long been busy with a newer one.
    gone: `t.ended_at < ${OLD} or (t.ended_at is null and t.updated_at < ${OLD} and exists (
      select 1 from transfer_jobs newer where newer.station_id = t.station_id and newer.kind = t.kind and newer.requested_at > t.requested_at))`,
  },
  {
    table: "reservations",
    at: "coalesce(ended_at, expires_at)",
    key: [OF_STATION, { column: "reservation_id", type: "bigint" }],
    among: "true",
    // An active one whose time is over has expired, whether the charge point said so or not.
    gone: "true",
  },
  {
    table: "charging_profiles",
    at: "coalesce(cleared_at, recorded_at)",
    key: [OF_STATION, { column: "profile_id", type: "bigint" }],
    among: "(cleared_at is not null or transaction_id is not null)",
    gone: `t.cleared_at is not null or not exists (
      select 1 from transactions x where x.station_id = t.station_id and x.transaction_id = t.transaction_id and x.state <> 'ended')`,
  },
  {
    table: "commands",
    at: "final_at",
    key: [{ column: "id", type: "text" }],
    among: "final_at is not null",
    gone: [
      "transfer_jobs r where r.command_id = t.id",
      "password_changes r where r.command_id = t.id",
      "certificate_requests r where r.command_id = t.id",
      "reservations r where r.station_id = t.station_id and r.command_id = t.id",
      "charging_profiles r where r.station_id = t.station_id and r.command_id = t.id",
      "availability_requests r where r.station_id = t.station_id and r.command_id = t.id",
      "commissionings m join commissioning_checks r on r.commissioning_id = m.id where m.station_id = t.station_id and r.question_id = t.id",
    ]
      .map((reference) => `not exists (select 1 from ${reference})`)
      .join(" and "),
  },
];

/** Where the next page of a table begins: behind these texts of `at` and the key. */
type Place = readonly string[] | undefined;

/**
 * Makes the sweep that deletes commands of the past and what they left behind: commands that are final, transfers, reservations
 * and charging profiles that are over, each since `days`. A run looks at no more than `limit` rows of a table and goes on
 * where the last one stopped, so that old rows that must stay are no burden. Harmless twice, and in several processes at once.
 */
export function createOldCommandsSweep({ sql, days, limit }: { sql: Sql; days: number; limit: number }) {
  const places = new Map<string, Place>();
  return async (): Promise<void> => {
    for (const table of TABLES)
      places.set(table.table, await forgetPage(sql, table, { days, limit, after: places.get(table.table) }));
  };
}

async function forgetPage(
  sql: Sql,
  { table, at, key, among, gone }: AgingTable,
  { days, limit, after }: { days: number; limit: number; after: Place },
): Promise<Place> {
  const columns = key.map(({ column }) => column).join(", ");
  const behind = key.map(({ type }, place) => `$${place + 4}::${type}`).join(", ");
  const texts = key.map(({ column }) => `${column}::text`).join(", ");
  const newestFirst = key.map(({ column }) => `${column} desc`).join(", ");
  const [page] = await sql.query<{ looked: number; last: string[] | null }>(
    `with looked as materialized (
       select ${columns}, ${at} as at from ${table}
       where ${among} and ${at} < ${OLD} and ($3::timestamptz is null or (${at}, ${columns}) > ($3, ${behind}))
       order by ${at}, ${columns} limit $2),
     gone as (
       delete from ${table} where (${columns}) in (
         select ${key.map(({ column }) => `t.${column}`).join(", ")} from ${table} t join looked using (${columns})
         where ${gone} for update of t skip locked))
     select (select count(*)::int from looked) as looked,
       (select array[at::text, ${texts}] from looked order by at desc, ${newestFirst} limit 1) as last`,
    [days, limit, ...(after ?? [null, ...key.map(() => null)])],
  );
  return page !== undefined && page.looked >= limit ? (page.last ?? undefined) : undefined;
}
