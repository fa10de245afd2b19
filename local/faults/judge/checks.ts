// What the ledgers say, compared with what Postgres holds. Each check is one statement over harness.calls: the CALLs that were
// answered in this part of the run. It yields a line for each thing that is wrong. A message that is not in the log counts once:
// its effects are looked for where it is.

export interface Check {
  finds: "lost" | "duplicated" | "disordered" | "wrong reply";
  sql: string;
}

export const SCHEMA = `
create schema if not exists harness;
create unlogged table if not exists harness.calls (
  n bigint primary key,
  station text not null,
  station_id bigint,
  message_id text not null,
  action text not null,
  sent integer not null,
  connector integer,
  evse integer,
  status text,
  started_at text,
  at text,
  transaction_id text,
  seq_no integer,
  vals integer,
  told_transaction text,
  told_status text,
  -- how often it stands in the message log, and the last place of it there; a heartbeat, which is coalesced, as if it did once
  rows integer not null default 0,
  place bigint[]
);
create unlogged table if not exists harness.starts (
  station_id bigint not null,
  connector integer not null,
  started_at text not null,
  transaction_id text not null,
  primary key (station_id, connector, started_at)
);`;

/** Fills in what the message log has of the answered CALLs. $1: nothing before this moment belongs to them. */
export const FIND_IN_LOG = `
update harness.calls c set rows = l.rows, place = l.place
from (
  select c.n, case when c.action = 'Heartbeat' then 1 else count(m.message_id) end as rows, max(array[m.epoch, m.seq::bigint]) filter (where m.message_id is not null) as place
  from harness.calls c
  left join message_log m on m.station_id = c.station_id and m.message_id = c.message_id and m.direction = 0 and m.received_at >= $1
  group by c.n, c.action
) l where l.n = c.n`;

const CALL = `c.station || ' ' || c.action || ' ' || c.message_id`;

export const CHECKS: readonly Check[] = [
  {
    finds: "lost",
    sql: `select ${CALL} || ' is not in the message log' as what from harness.calls c where c.rows = 0`,
  },
  {
    finds: "duplicated",
    sql: `select ${CALL} || ' is ' || c.rows || ' times in the message log, sent ' || c.sent as what
          from harness.calls c where c.rows > c.sent`,
  },
  {
    finds: "disordered",
    sql: `with placed as (
            select n, place, lag(place) over (partition by station order by n) as before from harness.calls where place is not null)
          select ${CALL} || ' stands at ' || p.place::text || ', behind a later one at ' || p.before::text as what
          from placed p join harness.calls c using (n) where p.before is not null and p.place <= p.before`,
  },
  {
    finds: "lost",
    sql: `select ${CALL} || ' has no transaction ' || coalesce(c.told_transaction, '?') as what
          from harness.calls c
          where c.action = 'StartTransaction' and c.rows > 0 and not exists (
            select from transactions t where t.station_id = c.station_id and t.transaction_id = c.told_transaction
              and t.connector_id = c.connector and t.start_timestamp_raw = c.started_at)`,
  },
  {
    finds: "duplicated",
    sql: `select ${CALL} || ' has ' || count(*) || ' transactions' as what
          from harness.calls c join transactions t on t.station_id = c.station_id and t.connector_id = c.connector and t.start_timestamp_raw = c.started_at
          where c.action = 'StartTransaction'
          group by c.n, c.station, c.action, c.message_id having count(*) > 1`,
  },
  {
    finds: "wrong reply",
    sql: `select ${CALL} || ' was told transaction ' || c.told_transaction || ', earlier ' || s.transaction_id as what
          from harness.calls c join harness.starts s on s.station_id = c.station_id and s.connector = c.connector and s.started_at = c.started_at
          where c.action = 'StartTransaction' and s.transaction_id <> c.told_transaction`,
  },
  {
    finds: "wrong reply",
    sql: `select ${CALL} || ' was told transaction ' || c.told_transaction || ', which ' || o.n || ' starts were told' as what
          from harness.calls c
          join (select told_transaction, count(distinct (station, started_at)) as n from harness.calls
                where action = 'StartTransaction' group by 1 having count(distinct (station, started_at)) > 1) o using (told_transaction)
`,
  },
  {
    finds: "lost",
    sql: `select ${CALL} || ' did not end its transaction' as what
          from harness.calls c
          where c.action = 'StopTransaction' and c.rows > 0 and not exists (
            select from transactions t where t.station_id = c.station_id and t.connector_id = c.connector
              and t.start_timestamp_raw = c.started_at and t.state = 'ended')`,
  },
  {
    finds: "lost",
    sql: `select ${CALL} || ' has no event ' || c.transaction_id || '/' || c.seq_no as what
          from harness.calls c
          where c.action = 'TransactionEvent' and c.rows > 0 and not exists (
            select from transaction_events e where e.station_id = c.station_id and e.transaction_id = c.transaction_id and e.seq_no = c.seq_no)`,
  },
  {
    finds: "lost",
    sql: `with filed as (
            select c.n, coalesce(sum(cardinality(m.vals)), 0) as vals
            from harness.calls c
            left join meter_values m on m.station_id = c.station_id and m.sampled_at = c.at::timestamptz
            where c.vals > 0 and c.rows > 0 group by c.n)
          select ${CALL} || ' has ' || f.vals || ' readings of ' || c.vals as what
          from filed f join harness.calls c using (n) where f.vals < c.vals`,
  },
  {
    finds: "duplicated",
    sql: `with filed as (
            select c.n, coalesce(sum(cardinality(m.vals)), 0) as vals
            from harness.calls c
            join meter_values m on m.station_id = c.station_id and m.sampled_at = c.at::timestamptz
            where c.vals > 0 group by c.n)
          select ${CALL} || ' has ' || f.vals || ' readings instead of ' || c.vals as what
          from filed f join harness.calls c using (n) where f.vals > c.vals`,
  },
  {
    finds: "disordered",
    sql: `with newest as (
            select distinct on (station_id, evse, connector) * from harness.calls
            where action = 'StatusNotification' and at is not null and rows > 0 order by station_id, evse, connector, n desc)
          select ${CALL} || ' told ' || c.status || ' at ' || c.at || ', and ' || coalesce(s.status || ' of ' || s.reported_at::text, 'nothing') || ' stands' as what
          from newest c left join connector_status s on s.station_id = c.station_id and s.evse_id = c.evse and s.connector_id = c.connector
          where (s.status is null or s.reported_at < c.at::timestamptz or (s.reported_at = c.at::timestamptz and s.status <> c.status))`,
  },
  {
    finds: "duplicated",
    sql: `select type || ' of ' || (data ->> 'session_id') || ' was told ' || count(*) || ' times' as what
          from events where type in ('session.started', 'session.ended') and recorded_at >= $1
          group by type, data ->> 'session_id' having count(*) > 1`,
  },
];
