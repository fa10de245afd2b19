import type { Sql } from "../database.ts";

/** Events from one to another, by their keys, both as text; the first is not among them. */
export interface EventPage {
  after: readonly [recordedAt: string, id: string];
  upTo: readonly [recordedAt: string, id: string];
}

/** An event is of the page, for a `where` on `t`; the page's four values are $n and those behind it. */
export const inPage = (n: number): string =>
  `(t.recorded_at, t.id) > ($${n}::timestamptz, $${n + 1}) and (t.recorded_at, t.id) <= ($${n + 2}::timestamptz, $${n + 3})`;

export const pageValues = ({ after, upTo }: EventPage): string[] => [...after, ...upTo];

/**
 * Everything that has been recorded until now, oldest first, page by page: so that no statement takes longer the more there
 * is. Pages are of all organisations, as the index is.
 */
export async function* eventPages(sql: Sql, pageSize: number): AsyncGenerator<EventPage> {
  const [end] = await sql.query<{ now: string }>(`select now()::text as now`);
  let after: EventPage["after"] = ["-infinity", ""];
  for (;;) {
    const [last] = await sql.query<{ recorded_at: string; id: string }>(
      `select p.recorded_at::text as recorded_at, p.id from (
         select recorded_at, id from events where (recorded_at, id) > ($1::timestamptz, $2) and recorded_at <= $3::timestamptz
         order by recorded_at, id limit $4) p
       order by p.recorded_at desc, p.id desc limit 1`,
      [...after, end?.now, pageSize],
    );
    if (last === undefined) return;
    const upTo = [last.recorded_at, last.id] as const;
    yield { after, upTo };
    after = upTo;
  }
}
