import { Migration } from "@mikro-orm/migrations";

const RESERVATIONS = `
create table reservations (
  station_id bigint not null references stations on delete cascade,
  reservation_id bigint not null,
  evse_id integer,
  connector_type text,
  id_token text not null,
  id_token_type text,
  group_id_token text,
  expires_at timestamptz,
  state text not null check (state in ('active', 'cancelled', 'used', 'expired', 'removed')),
  transaction_id text,
  command_id text,
  recorded_at timestamptz not null,
  ended_at timestamptz,
  epoch bigint not null, seq integer not null,
  primary key (station_id, reservation_id)
) with (fillfactor = 70);
comment on table reservations is 'what charge points accepted to reserve; business key (station, reservationId): ReserveNow with a known id replaces it';
comment on column reservations.evse_id is '1.6: the connector; null or 0: any';
comment on column reservations.id_token is 'personal data';
create index reservations_newest on reservations (station_id, recorded_at, reservation_id);`;

const CHARGING = `
create table charging_profiles (
  station_id bigint not null references stations on delete cascade,
  profile_id bigint not null,
  evse_id integer not null,
  purpose text not null,
  stack_level integer not null,
  kind text not null,
  transaction_id text,
  limit_source text,
  profile jsonb not null,
  source text not null check (source in ('command', 'report')),
  report_request_id bigint,
  command_id text,
  recorded_at timestamptz not null,
  cleared_at timestamptz,
  epoch bigint not null, seq integer not null,
  primary key (station_id, profile_id)
) with (fillfactor = 70);
comment on table charging_profiles is 'profiles that charge points have, as they accepted or reported them; business key (station, chargingProfileId)';
comment on column charging_profiles.evse_id is '1.6: the connector; 0: the whole station';
create table charging_reports (
  station_id bigint not null references stations on delete cascade,
  evse_id integer not null,
  kind text not null check (kind in ('limit', 'ev_needs', 'ev_schedule')),
  limit_source text not null default '',
  payload jsonb not null,
  received_at timestamptz not null,
  cleared_at timestamptz,
  epoch bigint not null, seq integer not null,
  primary key (station_id, kind, evse_id, limit_source)
) with (fillfactor = 70);
comment on table charging_reports is 'the last word of each kind: NotifyChargingLimit per source until ClearedChargingLimit, NotifyEVChargingNeeds, NotifyEVChargingSchedule';`;

const LOCAL_LISTS = `
create table local_lists (
  station_id bigint primary key references stations on delete cascade,
  version bigint,
  entries_known boolean not null default true,
  updated_at timestamptz,
  reported_version bigint,
  reported_at timestamptz,
  last_result text,
  epoch bigint not null, seq integer not null,
  reported_epoch bigint, reported_seq integer
);
comment on column local_lists.version is 'of the last list that the charge point accepted; null: none';
comment on column local_lists.entries_known is 'false: a differential list was accepted on top of one that we do not know';
comment on column local_lists.reported_version is 'the last answer to GetLocalListVersion; another number than version is a mismatch';
create table local_list_entries (
  station_id bigint not null references local_lists on delete cascade,
  token_key text not null,
  id_token text not null,
  id_token_type text not null default '',
  status text,
  expires_at timestamptz,
  group_id_token text,
  primary key (station_id, token_key, id_token_type)
);
comment on column local_list_entries.token_key is 'case-folded; personal data, as id_token';`;

const TRANSFER_JOBS = `
create table transfer_jobs (
  command_id text primary key,
  station_id bigint not null references stations on delete cascade,
  org_id text not null references organizations,
  kind text not null check (kind in ('firmware', 'publish', 'log')),
  action text not null,
  request_id bigint,
  location text,
  log_type text,
  file_name text,
  status text not null,
  requested_at timestamptz not null,
  updated_at timestamptz not null,
  ended_at timestamptz,
  completion_told boolean not null default false,
  epoch bigint not null, seq integer not null
) with (fillfactor = 70);
comment on table transfer_jobs is 'firmware updates and uploads of logs that charge points took on; business key: the command that asked';
comment on column transfer_jobs.status is 'Accepted, then the charge point''s own words of its status notifications';
comment on column transfer_jobs.location is 'password masked';
create index transfer_jobs_newest on transfer_jobs (station_id, kind, requested_at, command_id);
create index transfer_jobs_of_request on transfer_jobs (station_id, request_id);
create table transfer_job_progress (
  command_id text not null references transfer_jobs on delete cascade,
  epoch bigint not null,
  seq integer not null,
  status text not null,
  received_at timestamptz not null,
  primary key (command_id, epoch, seq)
);
create index commands_of_action on commands (station_id, action, created_at);`;

const AVAILABILITY = `
create table availability_requests (
  station_id bigint not null references stations on delete cascade,
  evse_id integer not null,
  connector_id integer not null,
  wanted text not null check (wanted in ('Operative', 'Inoperative')),
  answer text not null check (answer in ('Accepted', 'Scheduled')),
  command_id text not null,
  recorded_at timestamptz not null,
  epoch bigint not null, seq integer not null,
  primary key (station_id, evse_id, connector_id)
);
comment on table availability_requests is 'the last ChangeAvailability that was taken on, per connector; 0 and 0: the whole station; evse_id 0: OCPP 1.6';`;

/** What commands set up in stations: reservations, charging profiles, local lists, firmware and log jobs. */
export class Migration0005ChargePointSettings extends Migration {
  override up(): void {
    for (const statement of [RESERVATIONS, CHARGING, LOCAL_LISTS, TRANSFER_JOBS, AVAILABILITY]) this.addSql(statement);
  }
}
