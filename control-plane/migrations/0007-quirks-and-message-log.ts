import { Migration } from "@mikro-orm/migrations";

// A pattern as LIKE takes it, case-folded: `*` is any run of characters, everything else is itself.
const likeOf = (column: string) =>
  String.raw`text generated always as (lower(replace(replace(replace(replace(${column}, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'))) stored`;

/** Quirk profiles, what a station has instead of them, and what the gateways counted. */
const QUIRKS = `
create table quirk_profiles (
  id text primary key,
  org_id text not null references organizations,
  name text not null,
  vendor text,
  model text,
  firmware text,
  settings jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  vendor_like ${likeOf("vendor")},
  model_like ${likeOf("model")},
  firmware_like ${likeOf("firmware")},
  specificity integer[] generated always as (array[
    (vendor is not null)::int + (model is not null)::int + (firmware is not null)::int,
    (vendor is not null and strpos(vendor, '*') = 0)::int + (model is not null and strpos(model, '*') = 0)::int
      + (firmware is not null and strpos(firmware, '*') = 0)::int,
    length(replace(coalesce(vendor, '') || coalesce(model, '') || coalesce(firmware, ''), '*', ''))]) stored
);
create unique index quirk_profiles_one_per_match on quirk_profiles
  (org_id, coalesce(vendor_like, ''), coalesce(model_like, ''), coalesce(firmware_like, ''));
create index on quirk_profiles (org_id, created_at, id);
comment on table quirk_profiles is 'what an organisation forgives stations of a vendor, model, firmware; vendor, model and firmware are patterns, null: any; business key (organisation, the three patterns)';
comment on column quirk_profiles.specificity is 'of those that match, the greatest counts: fields named, fields named exactly, literal characters; then the older';
create table station_quirks (
  station_id bigint primary key references stations on delete cascade,
  overrides jsonb not null,
  updated_at timestamptz not null default now()
);
comment on table station_quirks is 'what one station has instead of its profile, quirk by quirk; null: off for this station';
alter table stations add column quirks jsonb, add column quirk_profile text;
create index stations_by_quirk_profile on stations (quirk_profile) where quirk_profile is not null;
comment on column stations.quirks is 'in force: resolved from quirk_profiles and station_quirks with each request of a registry write, which carries it to the gateways; null: none';
comment on column stations.quirk_profile is 'the profile that it was resolved from, if any';
create table quirk_fan_outs (
  org_id text primary key references organizations,
  after_station bigint not null default 0,
  second_look boolean not null default false,
  due_at timestamptz not null default now()
);
comment on table quirk_fan_outs is 'organisations whose profiles changed: their stations are resolved again page by page, after_station by after_station, and once more a little later, for boots that were being filed meanwhile';
create index on quirk_fan_outs (due_at);
create table quirk_counters (
  station_id bigint not null,
  quirk text not null,
  mode text not null,
  day date not null,
  count bigint not null,
  last_at timestamptz not null,
  detail text not null,
  primary key (station_id, quirk, mode, day)
) with (fillfactor = 70);
comment on table quirk_counters is 'how often a quirk was met (mode accept: forgiven; report_only: it would have been); added to in the transaction that moves the lane''s offset, so each event counts once';
create index on quirk_counters (day);
create table oversized_frames (
  station_id bigint not null,
  day date not null,
  count bigint not null,
  last_at timestamptz not null,
  primary key (station_id, day)
) with (fillfactor = 70);
comment on table oversized_frames is 'connections that were closed because of a frame over the configured limit; counted as quirk_counters is';
create index on oversized_frames (day);`;

/** What the message log tells beside the frame. Nullable, without a default: no row is rewritten. */
const MESSAGE_LOG = `
alter table message_log add column node_id text, add column latency_ms integer;
comment on column message_log.node_id is 'the gateway that held the connection';
comment on column message_log.latency_ms is 'from the arrival of a CALL to our answer; null where it was not measured, and for our own CALLs (commands has their times)';`;

/** Quirk profiles and their counters; what the message log tells beside the frame. */
export class Migration0007QuirksAndMessageLog extends Migration {
  override up(): void {
    this.addSql(QUIRKS);
    this.addSql(MESSAGE_LOG);
  }
}
