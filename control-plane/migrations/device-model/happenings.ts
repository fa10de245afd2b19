/** What happened at stations, each once: security events, events of monitors, notices, data of vendors. */
export const HAPPENINGS = `
create table security_events (
  id bigint generated always as identity primary key,
  station_id bigint not null references stations,
  org_id text not null references organizations,
  digest bytea not null,
  source text not null check (source in ('station', 'csms')),
  type text not null,
  tech_info text,
  critical boolean not null,
  occurred_at timestamptz,
  received_at timestamptz not null,
  unique (station_id, digest)
);
comment on table security_events is 'append-only (P2 A04): rows are neither changed nor deleted, but by forget_security_events()';
comment on column security_events.digest is 'business key: of source, type, timestamp and techInfo as the station sent them, so that the same event resent is one; of the gateway''s own by its place in the lane';
create index on security_events (org_id, id);
create index on security_events (station_id, id);
create function refuse_security_event_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_setting('dynamo.forgets_security_events', true) = 'on' then
    return old;
  end if;
  raise exception 'security_events is append-only: forget_security_events(before) is the only way to shorten it'
    using errcode = 'insufficient_privilege';
end $$;
create trigger security_events_append_only before update or delete on security_events
  for each row execute function refuse_security_event_change();
create trigger security_events_no_truncate before truncate on security_events
  for each statement execute function refuse_security_event_change();
create function forget_security_events(before timestamptz) returns bigint language plpgsql as $$
declare gone bigint;
begin
  perform set_config('dynamo.forgets_security_events', 'on', true);
  delete from security_events where received_at < before;
  get diagnostics gone = row_count;
  perform set_config('dynamo.forgets_security_events', 'off', true);
  return gone;
end $$;
comment on function forget_security_events is 'the documented retention: deletes what was received before the moment; returns how many rows';
create sequence station_event_ids;
create table station_events (
  station_id bigint not null,
  occurred_at timestamptz not null,
  digest bytea not null,
  id bigint not null default nextval('station_event_ids'),
  data jsonb not null,
  received_at timestamptz not null,
  primary key (station_id, occurred_at, digest)
) partition by range (occurred_at);
comment on table station_events is 'NotifyEvent (P2 N07); business key: the station''s time and the digest of the whole event, for eventId starts again with a reboot';
create table station_events_default partition of station_events default;
create index on station_events (station_id, id);
create table station_notices (
  id bigint generated always as identity primary key,
  station_id bigint not null references stations on delete cascade,
  kind text not null check (kind in ('battery_swap', 'der_alarm', 'der_start_stop', 'priority_charging')),
  digest bytea not null,
  data jsonb not null,
  received_at timestamptz not null,
  unique (station_id, kind, digest)
);
comment on table station_notices is 'what stations of 2.1 tell once; business key: the digest of the message, and for those without a time in them their place (epoch, seq)';
create index on station_notices (station_id, id);
create index on station_notices (received_at);
create table data_transfers (
  station_id bigint not null,
  epoch bigint not null,
  seq integer not null,
  received_at timestamptz not null,
  direction text not null check (direction in ('from_charge_point', 'to_charge_point')),
  vendor_id text not null,
  message_id text,
  data json,
  status text not null,
  response_data json,
  primary key (station_id, epoch, seq, received_at)
) partition by range (received_at);
comment on table data_transfers is 'DataTransfer both ways; business key is the frame''s place: a vendor''s data has no key that we know. json, not jsonb: kept as it travelled';
create table data_transfers_default partition of data_transfers default;`;
