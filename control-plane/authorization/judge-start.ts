import type { Sql } from "../database.ts";
import { type AskedToken, foldToken, readTokenStatuses, type TokenStatus } from "./token-status.ts";

/** A token that is to start a transaction. */
export interface StartingToken extends AskedToken {
  /** The transaction, by its own key; undefined: it has none yet (1.6). */
  own?: { stationId: string; transactionId: string };
}

/**
 * Judges tokens that start transactions: as readTokenStatuses, and ConcurrentTx where as many of a token's transactions run
 * as it may have (C16 §7.2, P2 AuthorizationStatusEnumType: said to starts alone). Two starts with a limited token wait for
 * each other, on whatever stations: call it in the transaction that files the starts, and with each limited token once at
 * a time (limitedToken), since a start counts for the next one only when it is filed.
 * @param known what readTokenStatuses said of them, before any of them was locked.
 */
export async function judgeStarts(
  sql: Sql,
  starting: readonly StartingToken[],
  known: readonly TokenStatus[],
): Promise<TokenStatus[]> {
  const judged = [...known];
  const places = [...known.keys()].filter((place) => isLimited(known[place] as TokenStatus));
  if (places.length === 0) return judged;
  const asked = places.map((place) => starting[place] as StartingToken);
  const locked = await readTokenStatuses(sql, asked, "for update");
  // A statement of its own: it sees what was committed while we waited.
  const running = await sql.query<{ place: string; others: number; has_own: boolean }>(COUNT_RUNNING, [
    asked.map(({ orgId }) => orgId),
    asked.map(({ token }) => token),
    asked.map(({ own }) => own?.stationId ?? null),
    asked.map(({ own }) => own?.transactionId ?? null),
  ]);
  for (const { place, others, has_own: hasOwn } of running) {
    const index = Number(place) - 1;
    const status = locked[index] as TokenStatus;
    // What was accepted for this very transaction stays so, however many others began meanwhile.
    const isOver = isLimited(status) && others >= (status.maxActiveTransactions ?? Infinity) && !hasOwn;
    judged[places[index] as number] = isOver ? { ...status, status: "ConcurrentTx" } : status;
  }
  return judged;
}

const isLimited = ({ status, maxActiveTransactions }: TokenStatus) =>
  status === "Accepted" && maxActiveTransactions !== null;

/** What starts with a limited token have in common; undefined: the token may start as many as it likes. */
export const limitedToken = ({ orgId, token }: AskedToken, status: TokenStatus): string | undefined =>
  isLimited(status) ? `${orgId}/${foldToken(token)}` : undefined;

// Which transactions count is ADR 0009: those that run as far as anybody can tell. One whose end was lost must not lock
// its driver out.
const COUNT_RUNNING = `
select a.place, counted.others, counted.has_own
from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) with ordinality as a (org_id, token, station_id, transaction_id, place)
cross join lateral (
  select count(*) filter (where not own)::int as others, coalesce(bool_or(own), false) as has_own
  from (
    select t.*, coalesce(t.station_id = a.station_id and t.transaction_id = a.transaction_id, false) as own
    from transactions t
    where t.org_id = a.org_id and lower(t.id_token) = lower(a.token) and t.created_at > now() - interval '7 days'
      and t.state = 'active' and t.given_up_at is null and coalesce(t.id_token_status, 'Accepted') = 'Accepted'
      and (t.ocpp_version <> '1.6' or t.start_confirmed_at is not null or t.created_at > now() - interval '5 minutes')
  ) t
  join stations s on s.id = t.station_id
  left join station_seen seen on seen.station_id = t.station_id
  where own or (
    s.retired_at is null
    and greatest(seen.last_seen_at, t.created_at) > now() - interval '1 hour'
    and not exists (
      select 1 from connector_status c
      where c.station_id = t.station_id and c.status = 'Available' and c.received_at > coalesce(t.start_received_at, t.created_at)
        and (t.connector_id is null or c.connector_id = t.connector_id) and c.evse_id = coalesce(t.evse_id, 0)))
) counted`;
