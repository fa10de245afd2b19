/** The device model: variables, the reports they come in, and whether a base report is on record. */
export const VARIABLES = `
create table station_variables (
  station_id bigint not null references stations on delete cascade,
  key text collate "C" not null,
  component text not null,
  component_instance text,
  evse_id integer,
  connector_id integer,
  variable text not null,
  variable_instance text,
  attribute text not null check (attribute in ('Actual', 'Target', 'MinSet', 'MaxSet')),
  value text,
  mutability text,
  persistent boolean,
  constant boolean,
  characteristics jsonb,
  source text not null,
  received_at timestamptz not null,
  epoch bigint not null, seq integer not null,
  described_epoch bigint, described_seq integer,
  primary key (station_id, key)
) with (fillfactor = 80);
comment on table station_variables is 'one row per attribute of a variable (2.x), or per configuration key (1.6: component "ChargePoint"); business key is what it is called, case-folded';
comment on column station_variables.value is 'null: not set, write-only, or a secret, whose value is never stored';
comment on column station_variables.source is 'the action that told the value last';
comment on column station_variables.described_epoch is 'the fact that mutability, persistent, constant and characteristics come from; the value is a fact of its own';
create table station_reports (
  station_id bigint not null references stations on delete cascade,
  kind text not null check (kind in ('variables', 'monitors')),
  request_id integer not null,
  base text,
  parts int4multirange not null default '{}',
  last_part integer,
  first_epoch bigint, first_seq integer,
  requested_at timestamptz,
  updated_at timestamptz not null,
  completed_at timestamptz,
  primary key (station_id, kind, request_id)
);
create index on station_reports (updated_at);
comment on table station_reports is 'reports of many messages (NotifyReport, NotifyMonitoringReport): which parts (seqNo) are here, in whatever order and however often they came';
comment on column station_reports.base is 'of those that we asked for by ourselves: the report base; a complete FullInventory tells what the station has no more';
create table base_report_requests (
  station_id bigint primary key references stations on delete cascade,
  ocpp_version text not null,
  firmware_version text,
  request_id integer not null,
  state text not null check (state in ('asked', 'answered', 'complete', 'refused')),
  asked integer not null,
  epoch bigint not null, seq integer not null,
  changed_at timestamptz not null default now()
);
comment on table base_report_requests is 'what we asked each station about itself, once per firmware version; (epoch, seq) is the boot that was answered last';
create sequence report_request_ids as integer minvalue 1000000 maxvalue 2147483647 cycle;
comment on sequence report_request_ids is 'requestId of reports that we ask for by ourselves, away from the small numbers that people choose';`;

/** What is in force at a station: monitors, display messages, DER controls, tariffs, event streams. */
export const ITEMS = `
create table station_items (
  station_id bigint not null references stations on delete cascade,
  kind text not null check (kind in ('monitor', 'monitoring', 'display_message', 'der_control', 'tariff', 'event_stream')),
  item_key text collate "C" not null,
  present boolean not null,
  data jsonb not null,
  received_at timestamptz not null,
  epoch bigint not null, seq integer not null,
  primary key (station_id, kind, item_key)
) with (fillfactor = 80);
create index station_items_past on station_items (received_at) where not present or (kind = 'tariff' and item_key like 'transaction/%');
comment on table station_items is 'each row a fact by (epoch, seq), that something is in force or (present = false) no more; business key is the id that it has at the station';`;
