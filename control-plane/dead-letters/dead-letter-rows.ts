import type { Sql } from "../database.ts";

export const DEAD_LETTER_STATUSES = ["open", "replayed", "discarded"] as const;
export type DeadLetterStatus = (typeof DEAD_LETTER_STATUSES)[number];

/** A frame that was answered, stored, and could not be applied; or an entry of a lane that could not be unpacked. */
export interface DeadLetterRow {
  /** `dl_…` */
  id: string;
  /** Grows with the time of setting aside: what pages go by. */
  position: string;
  status: DeadLetterStatus;
  laneId: string;
  entryId: string;
  frameIndex: number;
  /** "" for a damaged entry, and for events of a whole node. */
  identity: string;
  /** Null: no station has the identity, or the one that has it was registered later. */
  chargePointId: string | null;
  /** "inbound", "outbound", "event"; null for a damaged entry. */
  kind: string | null;
  ocppVersion: string | null;
  /** The beginning of the frame's text; null for a damaged entry. */
  begin: string | null;
  receivedAt: Date | null;
  reason: string;
  setAsideAt: Date;
  tries: number;
  triedAt: Date | null;
  lastReason: string | null;
  replayedAt: Date | null;
  replayedBy: string | null;
  discardedAt: Date | null;
  discardedBy: string | null;
  discardReason: string | null;
}

/** Which dead letters are meant; what is left out says nothing. */
export interface DeadLetterFilter {
  /** Only those of this organisation's stations: what is of nobody is left out then. */
  orgId?: string | undefined;
  chargePointId?: string | undefined;
  identity?: string | undefined;
  /** Exactly: why it was set aside, or why the last replay failed. */
  reason?: string | undefined;
  since?: Date | string | undefined;
  status?: DeadLetterStatus | undefined;
}

/** A letter that was set aside before the station was registered is not the station's. */
const FROM = `dead_letters d left join stations s on s.identity = d.identity and s.created_at <= d.set_aside_at`;

/** SQL over FROM with the values of `filterValues` in $1 to $6. */
const MATCHES = `($1::text is null or s.org_id = $1) and ($2::text is null or s.charge_point_id = $2)
  and ($3::text is null or d.identity = $3) and ($4::text is null or d.reason = $4 or d.last_reason = $4)
  and ($5::timestamptz is null or d.set_aside_at >= $5)
  and case $6::text when 'open' then d.replayed_at is null and d.discarded_at is null
        when 'replayed' then d.replayed_at is not null when 'discarded' then d.discarded_at is not null else true end`;

const filterValues = (filter: DeadLetterFilter) => [
  filter.orgId ?? null,
  filter.chargePointId ?? null,
  filter.identity ?? null,
  filter.reason ?? null,
  filter.since ?? null,
  filter.status ?? null,
];

const COLUMNS = `d.public_id as id, d.id::text as position,
  case when d.replayed_at is not null then 'replayed' when d.discarded_at is not null then 'discarded' else 'open' end as status,
  d.lane_id as "laneId", d.entry_id as "entryId", d.frame_index as "frameIndex", d.identity, s.charge_point_id as "chargePointId",
  d.frame->>'kind' as kind, d.frame->>'version' as "ocppVersion", left(d.frame->>'text', 400) as begin,
  to_timestamp((d.frame->>'receivedAtMs')::double precision / 1000) as "receivedAt", d.reason, d.set_aside_at as "setAsideAt",
  d.tries, d.tried_at as "triedAt", d.last_reason as "lastReason", d.replayed_at as "replayedAt", d.replayed_by as "replayedBy",
  d.discarded_at as "discardedAt", d.discarded_by as "discardedBy", d.discard_reason as "discardReason"`;

/** A page, newest first. @param before the `position` of the last one of the page before. */
export async function listDeadLetters(
  sql: Sql,
  filter: DeadLetterFilter,
  page: { limit: number; before?: string | undefined },
): Promise<DeadLetterRow[]> {
  return sql.query<DeadLetterRow>(
    `select ${COLUMNS} from ${FROM} where ${MATCHES} and ($7::bigint is null or d.id < $7) order by d.id desc limit $8`,
    [...filterValues(filter), page.before ?? null, page.limit],
  );
}

/** The ids of open ones, oldest first: the order in which they are to be applied. @param after a `position`. */
export async function openDeadLetters(
  sql: Sql,
  filter: Omit<DeadLetterFilter, "status">,
  page: { limit: number; after?: string | undefined },
): Promise<{ id: string; position: string }[]> {
  return sql.query(
    `select d.public_id as id, d.id::text as position from ${FROM}
     where ${MATCHES} and d.replayed_at is null and d.discarded_at is null and ($7::bigint is null or d.id > $7) order by d.id limit $8`,
    [...filterValues(filter), page.after ?? null, page.limit],
  );
}

/** One, with its frame as it was stored. @param orgId undefined: whosever it is. */
export async function findDeadLetter(
  sql: Sql,
  id: string,
  orgId: string | undefined,
): Promise<(DeadLetterRow & { frame: unknown }) | undefined> {
  const [row] = await sql.query<DeadLetterRow & { frame: unknown }>(
    `select ${COLUMNS}, d.frame from ${FROM} where d.public_id = $1 and ($2::text is null or s.org_id = $2)`,
    [id, orgId ?? null],
  );
  return row;
}

/**
 * Gives an open one up: it is never applied, and goes by age. @returns "closed" when it was replayed or discarded already.
 * @param by who, as `replayed_by`.
 */
export async function discardDeadLetter(
  sql: Sql,
  id: string,
  { by, why }: { by: string; why: string },
): Promise<"discarded" | "closed" | "not found"> {
  const [row] = await sql.query<{ done: boolean }>(
    `with found as (select id from dead_letters where public_id = $1),
          done as (update dead_letters set discarded_at = now(), discarded_by = $2, discard_reason = $3
                   where public_id = $1 and replayed_at is null and discarded_at is null returning id)
     select exists (select 1 from done) as done from found`,
    [id, by, why],
  );
  if (row === undefined) return "not found";
  return row.done ? "discarded" : "closed";
}
