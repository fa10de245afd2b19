import type { Sql } from "../database.ts";
import { readTokenStatus, type TokenStatus } from "./token-status.ts";

/** The transaction that the token is to start, by its own key; undefined: it has none yet (1.6). */
export interface OwnTransaction {
  stationId: string;
  transactionId: string;
}

/**
 * Judges a token that starts a transaction: as readTokenStatus, and ConcurrentTx when as many of its transactions run as
 * it may have (C16 §7.2, P2 AuthorizationStatusEnumType: said to starts alone). Two starts with a limited token wait for
 * each other, on whatever stations: call it in the transaction that files the start.
 */
export async function judgeStart(sql: Sql, orgId: string, token: string, own?: OwnTransaction): Promise<TokenStatus> {
  const known = await readTokenStatus(sql, orgId, token);
  if (known.status !== "Accepted" || known.maxActiveTransactions === null) return known;
  const locked = await readTokenStatus(sql, orgId, token, "for update");
  if (locked.status !== "Accepted" || locked.maxActiveTransactions === null) return locked;
  // A statement of its own: it sees what was committed while we waited.
  const [row] = await sql.query<{ others: number; has_own: boolean }>(COUNT_RUNNING, [
    orgId,
    token,
    own?.stationId ?? null,
    own?.transactionId ?? null,
  ]);
  const { others = 0, has_own: hasOwn = false } = row ?? {};
  // What was accepted for this very transaction stays so, however many others began meanwhile.
  return others >= locked.maxActiveTransactions && !hasOwn ? { ...locked, status: "ConcurrentTx" } : locked;
}

// Which transactions count is ADR 0009: those that run as far as anybody can tell. One whose end was lost must not lock
// its driver out.
const COUNT_RUNNING = `
select count(*) filter (where not own)::int as others, coalesce(bool_or(own), false) as has_own
from (
  select t.*, coalesce(t.station_id = $3::bigint and t.transaction_id = $4, false) as own
  from transactions t
  where t.org_id = $1 and lower(t.id_token) = lower($2) and t.created_at > now() - interval '7 days'
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
      and (t.connector_id is null or c.connector_id = t.connector_id) and c.evse_id = coalesce(t.evse_id, 0)))`;
