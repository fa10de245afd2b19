// The rows of commands that wait for their station (deliver = 'when_connected', state = 'queued'). Each is looked at again
// at its wake_at: moved ahead while its station is away, back when it connects, so that 100,000 commands for stations that
// are away cost nothing.

import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Sql } from "../database.ts";
import type { Owner } from "./resolve-owner.ts";

/** Its connection brings a command back; this is for a word that was lost. Spread, so that what waits comes back bit by bit. */
const ASIDE = "interval '6 hours' * (0.5 + random())";

/** Namespace of our advisory locks (job sweeps have another): one process at a time claims for a station. */
const CLAIM_LOCK_SPACE = 0x444351;

/** What the queue needs to know of a station before it asks Redis. */
export interface QueueStation {
  identity: StationIdentity;
  /** Postgres' clock at the start: what is woken later is not put aside. */
  askedAt: Date;
}

/** The station of these waiting commands; undefined when it was retired. */
export async function queueStation(sql: Sql, stationId: string): Promise<QueueStation | undefined> {
  const [row] = await sql.query<{ identity: StationIdentity; asked_at: Date }>(
    "select identity, clock_timestamp() as asked_at from stations where id = $1 and retired_at is null",
    [stationId],
  );
  return row && { identity: row.identity, askedAt: row.asked_at };
}

/** A command that is this process's to send, on exactly the connection it was claimed for. */
export interface ClaimedCommand {
  id: string;
  version: OcppVersion;
  action: string;
  /** JSON text; masked where there is a sealed one. */
  payload: string;
  sealedPayload: string | null;
  /** How long it may still wait at the gateway. */
  sendWithinMs: number;
}

/**
 * Claims the next command of the station for this connection: published from now on, so that a crash cannot hide that it may
 * have been sent. One at a time per station; operators' commands before the control plane's own, each in their order; each
 * at most once per connection, for what a connection did not take it does not take the next moment either.
 * Rules of registration: 1.6 §4.2, 2.x B02 and B03.
 * @param sql of a transaction: it holds the station's claim lock until then.
 * @returns "busy": another one is on its way, or being claimed; undefined: there is none to be sent now.
 */
export async function claimNext(
  sql: Sql,
  stationId: string,
  owner: Owner,
  limits: { sendWithinMs: number; callTimeoutMs: number },
): Promise<ClaimedCommand | "busy" | undefined> {
  const [lock] = await sql.query<{ locked: boolean }>("select pg_try_advisory_xact_lock($1, hashtext($2)) as locked", [
    CLAIM_LOCK_SPACE,
    stationId,
  ]);
  if (lock?.locked !== true || (await isUnderWay(sql, stationId))) return "busy";
  const [row] = await sql.query<ClaimedRow>(
    `update commands set state = 'published', node_id = $2, epoch = $3, published_at = now(), reason = null,
       deadline_at = least(valid_until, now() + $4 * interval '1 millisecond') + $5 * interval '1 millisecond'
     where id = (
       select c.id from commands c join stations s on s.id = c.station_id
       where c.station_id = $1 and c.deliver = 'when_connected' and c.state = 'queued' and c.final_at is null
         and c.valid_until > now() and (c.not_before is null or c.not_before <= now()) and c.epoch is distinct from $3
         and (s.registration = 'accepted' or (s.registration = 'pending' and c.action <> all ($6::text[])))
         and not exists (select 1 from station_connections k
                         where k.station_id = s.id and k.epoch = $3 and k.ocpp_version <> c.ocpp_version)
       order by c.requested_by like 'system:%', coalesce(c.not_before, c.created_at), c.created_at, c.id
       limit 1 for update of c skip locked)
     returning id, ocpp_version, action, payload::text as payload, sealed_payload,
       (extract(epoch from least(valid_until - now(), $4 * interval '1 millisecond')) * 1000)::int as send_within_ms`,
    [stationId, owner.nodeId, owner.epoch, limits.sendWithinMs, limits.callTimeoutMs, IN_SERVICE_ONLY],
  );
  return (
    row && {
      id: row.id,
      version: row.ocpp_version,
      action: row.action,
      payload: row.payload,
      sealedPayload: row.sealed_payload,
      sendWithinMs: row.send_within_ms,
    }
  );
}

interface ClaimedRow {
  id: string;
  ocpp_version: OcppVersion;
  action: string;
  payload: string;
  sealed_payload: string | null;
  send_within_ms: number;
}

/** Starting or stopping somebody's session is for stations in service only. */
const IN_SERVICE_ONLY = [
  "RemoteStartTransaction",
  "RemoteStopTransaction",
  "RequestStartTransaction",
  "RequestStopTransaction",
];

/** Whether one of the station's waiting commands is on its way. */
async function isUnderWay(sql: Sql, stationId: string): Promise<boolean> {
  const rows = await sql.query(
    "select 1 from commands where station_id = $1 and deliver = 'when_connected' and final_at is null and state <> 'queued' limit 1",
    [stationId],
  );
  return rows.length > 0;
}

/** Looks at the station's waiting commands later, but for those that were woken since, and those that somebody else has in hand. */
export async function putAside(sql: Sql, stationId: string, askedAt: Date, forSeconds?: number): Promise<void> {
  await sql.query(
    `update commands set wake_at = clock_timestamp() + coalesce($3 * interval '1 second', ${ASIDE})
     where id in (
       select id from commands
       where station_id = $1 and deliver = 'when_connected' and state = 'queued' and final_at is null and wake_at <= $2
       order by id for update skip locked)`,
    [stationId, askedAt, forSeconds ?? null],
  );
}

/** Commands looked at in one statement, and statements of one sweep: many commands may have become due at once. */
const LOOKED_AT = 1_000;
const MAX_ROUNDS = 20;

/**
 * Stations that waiting commands may be sent to now, longest first. Commands of stations that are away are put aside on the
 * way, by Postgres' own record of connections: Redis is not asked for them.
 */
export async function dueStations(sql: Sql, limit: number): Promise<string[]> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const { stations, looked } = await judgeDue(sql, limit);
    if (stations.length > 0 || looked < LOOKED_AT) return stations;
  }
  return [];
}

async function judgeDue(sql: Sql, limit: number): Promise<{ stations: string[]; looked: number }> {
  const [row] = await sql.query<{ stations: string[]; looked: number }>(
    `with due as materialized (
       select id, station_id, wake_at from commands
       where state = 'queued' and deliver = 'when_connected' and wake_at <= now()
       order by wake_at limit $1 for update skip locked),
     judged as materialized (
       select due.*,
         exists (select 1 from station_connections k where k.station_id = due.station_id and k.closed_at is null) as connected,
         exists (select 1 from commands f where f.station_id = due.station_id and f.deliver = 'when_connected'
                 and f.final_at is null and f.state <> 'queued') as under_way
       from due),
     aside as (
       update commands c set wake_at = now() + case when judged.connected then interval '2 seconds' else ${ASIDE} end
       from judged where c.id = judged.id and (judged.under_way or not judged.connected)),
     ready as (
       select station_id, min(wake_at) as since from judged where connected and not under_way
       group by station_id order by since limit $2)
     select (select count(*)::int from due) as looked,
       coalesce((select array_agg(station_id::text order by since) from ready), '{}') as stations`,
    [LOOKED_AT, limit],
  );
  return row ?? { stations: [], looked: 0 };
}

/** These stations have just connected, or were accepted: what waits for them is due again. Set-based, for the intake. */
export async function wakeWaitingCommands(sql: Sql, stationIds: readonly string[]): Promise<void> {
  if (stationIds.length === 0) return;
  await sql.query(
    `update commands set wake_at = greatest(clock_timestamp(), not_before)
     where id in (
       select id from commands
       where station_id = any($1::bigint[]) and deliver = 'when_connected' and final_at is null and state = 'queued' and wake_at > now()
       order by id for update)`,
    [stationIds],
  );
}

/** How many commands of the station wait. */
export async function countWaiting(sql: Sql, stationId: string): Promise<number> {
  const [row] = await sql.query<{ waiting: number }>(
    `select count(*)::int as waiting from commands
     where station_id = $1 and deliver = 'when_connected' and final_at is null and state = 'queued'`,
    [stationId],
  );
  return row?.waiting ?? 0;
}
