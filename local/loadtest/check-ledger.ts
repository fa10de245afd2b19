import type { K6Lines } from "./k6-lines.ts";
import type { LoadedSystem } from "./start-system.ts";

export interface LedgerVerdict {
  /** CALLs that were answered, heartbeats among them. */
  answered: number;
  /** Of those that the message log keeps: how many stand in it. */
  found: number;
  byAction: Record<string, { answered: number; logged: number | undefined }>;
  transactions: { started: number; ended: number };
  commands: number;
  /** What is wrong, in words; empty: no answered message is missing, none is there twice. */
  breaches: string[];
}

const CHUNK = 2_000;
const EXAMPLES = 3;

const TABLE = `
create schema if not exists loadtest;
drop table if exists loadtest.ledger;
create unlogged table loadtest.ledger (
  station text primary key,
  numbered integer not null,
  unanswered jsonb not null,
  resent integer not null,
  started integer not null,
  ended integer not null,
  heartbeat_at timestamptz,
  readings integer not null,
  status text,
  status_at timestamptz
);`;

/** Each check yields a line for each station with which something is wrong. $1: nothing was received before. */
const CHECKS: readonly string[] = [
  `with logged as (
     select l.station, l.numbered, l.unanswered, l.resent, m.message_id
     from loadtest.ledger l join stations s on s.charge_point_id = l.station
     left join message_log m on m.station_id = s.id and m.direction = 0 and m.received_at >= $1 and m.message_id like 'm%'),
   counted as (
     select station, numbered - jsonb_array_length(unanswered) as answered, resent, count(message_id) as rows, count(distinct message_id) as ids,
            count(distinct message_id) filter (where not unanswered ? message_id) as found
     from logged group by station, numbered, unanswered, resent)
   select station || case when found < answered then ': ' || answered - found || ' answered messages are not in the message log'
                          else ': ' || rows - ids || ' messages are twice in the message log, sent again ' || resent end as what
   from counted where found <> answered or rows - ids > resent`,
  `select l.station || ': ' || l.started || ' transactions were begun, ' || count(t.id) || ' are stored' as what
   from loadtest.ledger l join stations s on s.charge_point_id = l.station
   left join transactions t on t.station_id = s.id and t.start_received_at >= $1
   group by l.station, l.started, l.unanswered
   having count(t.id) < l.started or count(t.id) > l.started + jsonb_array_length(l.unanswered)`,
  `select l.station || ': ' || l.ended || ' transactions were ended, ' || count(t.id) || ' are stored so' as what
   from loadtest.ledger l join stations s on s.charge_point_id = l.station
   left join transactions t on t.station_id = s.id and t.start_received_at >= $1 and t.state = 'ended'
   group by l.station, l.ended having count(t.id) < l.ended`,
  `select l.station || ': its last heartbeat, of ' || l.heartbeat_at || ', is not on record' as what
   from loadtest.ledger l join stations s on s.charge_point_id = l.station
   left join station_seen seen on seen.station_id = s.id
   where l.heartbeat_at >= $1 and (seen.last_heartbeat_at is null or seen.last_heartbeat_at < l.heartbeat_at - interval '1 second')`,
  `select l.station || ': ' || l.readings || ' meter values were answered, ' || count(v.sampled_at) || ' are stored' as what
   from loadtest.ledger l join stations s on s.charge_point_id = l.station
   left join meter_values v on v.station_id = s.id and v.received_at >= $1
   group by l.station, l.readings, l.unanswered, l.resent
   having count(v.sampled_at) < l.readings or count(v.sampled_at) > l.readings + jsonb_array_length(l.unanswered)`,
  `select l.station || ': its last status, ' || l.status || ' of ' || l.status_at || ', is not on record: there is ' || coalesce(c.status || ' of ' || c.reported_at, 'none') as what
   from loadtest.ledger l join stations s on s.charge_point_id = l.station
   left join connector_status c on c.station_id = s.id and c.connector_id = 1
   where l.status_at >= $1
     and (c.reported_at is null or c.reported_at < l.status_at or (c.reported_at = l.status_at and c.status <> l.status))`,
  `select 'dead letter: ' || reason as what from dead_letters where set_aside_at >= $1`,
  `select 'a lane lost entries: ' || lane_id as what from lane_gaps where noticed_at >= $1`,
];

/**
 * Compares what the stations were told with what Postgres holds: every CALL that was answered is in the message log, once for
 * each time that it was sent; every transaction is there and ended as told, every meter value is stored, once; the last
 * heartbeat and the last status are on record; every command that REST told as accepted is. Everything in the lanes must be applied by then.
 *
 * @param since before the first message of the run, and after the last one of the run before
 */
export async function checkLedger(
  { sql }: Pick<LoadedSystem, "sql">,
  { ledgers, commands }: Pick<K6Lines, "ledgers" | "commands">,
  since: Date,
): Promise<LedgerVerdict> {
  await sql(TABLE);
  for (let at = 0; at < ledgers.length; at += CHUNK) {
    const part = ledgers.slice(at, at + CHUNK);
    await sql(
      `insert into loadtest.ledger
       select station, numbered, unanswered, resent, started, ended, case when heartbeat_ms > 0 then to_timestamp(heartbeat_ms / 1000) end, readings, status, status_at
       from unnest($1::text[], $2::int[], $3::jsonb[], $4::int[], $5::int[], $6::int[], $7::float8[], $8::int[], $9::text[], $10::timestamptz[])
         as l (station, numbered, unanswered, resent, started, ended, heartbeat_ms, readings, status, status_at)`,
      [
        part.map((one) => one.station),
        part.map((one) => one.numbered),
        part.map((one) => JSON.stringify([...new Set(one.unanswered)])),
        part.map((one) => one.resent),
        part.map((one) => one.started),
        part.map((one) => one.ended),
        part.map((one) => one.heartbeatAtMs),
        part.map((one) => one.readings),
        part.map((one) => one.status?.name),
        part.map((one) => one.status?.at),
      ],
    );
  }
  await sql(`analyze loadtest.ledger`);
  const breaches: string[] = [];
  for (const check of CHECKS) {
    const rows = await sql<{ what: string; total: string }>(
      `select what, count(*) over () as total from (${check}) findings limit ${EXAMPLES}`,
      [since.toISOString()],
    );
    breaches.push(...rows.map(({ what }) => what));
    const more = Number(rows[0]?.total ?? 0) - rows.length;
    if (more > 0) breaches.push(`… and ${more} more such findings`);
  }
  breaches.push(...(await unfinished({ sql }, commands)));
  const byAction = await actionsOf({ sql }, ledgers, since);
  return {
    answered: Object.values(byAction).reduce((sum, { answered }) => sum + answered, 0),
    found: Object.values(byAction).reduce((sum, { answered, logged }) => sum + Math.min(answered, logged ?? 0), 0),
    byAction,
    transactions: {
      started: ledgers.reduce((sum, { started }) => sum + started, 0),
      ended: ledgers.reduce((sum, { ended }) => sum + ended, 0),
    },
    commands: commands.length,
    breaches,
  };
}

async function unfinished({ sql }: Pick<LoadedSystem, "sql">, commands: readonly string[]): Promise<string[]> {
  const rows = await sql<{ id: string; state: string }>(
    `select told.id, coalesce(c.state, 'not on record') as state from unnest($1::text[]) as told (id)
     left join commands c on c.id = told.id where c.state is distinct from 'accepted' limit ${EXAMPLES}`,
    [commands],
  );
  return rows.map(({ id, state }) => `command ${id} was told as accepted, and is ${state}`);
}

/** Heartbeats are not logged, unless it is wished for. */
async function actionsOf(
  { sql }: Pick<LoadedSystem, "sql">,
  ledgers: K6Lines["ledgers"],
  since: Date,
): Promise<LedgerVerdict["byAction"]> {
  const rows = await sql<{ action: string; n: string }>(
    `select m.action, count(distinct (m.station_id, m.message_id)) as n
     from loadtest.ledger l join stations s on s.charge_point_id = l.station
     join message_log m on m.station_id = s.id and m.direction = 0 and m.received_at >= $1 group by 1`,
    [since.toISOString()],
  );
  const logged = new Map(rows.map(({ action, n }) => [action, Number(n)]));
  const byAction: LedgerVerdict["byAction"] = {};
  for (const { answered } of ledgers)
    for (const [action, count] of Object.entries(answered)) {
      byAction[action] ??= { answered: 0, logged: logged.get(action) };
      byAction[action].answered += count;
    }
  return byAction;
}
