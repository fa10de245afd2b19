import { Migration } from "@mikro-orm/migrations";

/** The first schema. Ids with a prefix (`cp_…`) are what the API shows; `stations.id` is for the large tables. */
export class Migration0001Initial extends Migration {
  override up(): void {
    for (const statement of [ORGANIZATIONS, INSTALLERS, PROJECTS, STATIONS, FACTS, TRANSACTIONS, LOG, LANES, COMMANDS, COMMISSIONING, HANDOVER, EVENTS, API])
      this.addSql(statement);
  }
}

const ORGANIZATIONS = `
create table organizations (
  id text primary key,
  name text not null,
  contact_email text,
  created_at timestamptz not null default now()
);
create table api_keys (
  id text primary key,
  org_id text not null references organizations,
  name text not null,
  key_hash bytea not null unique,
  key_last4 text not null,
  scopes text[] not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now()
);
create index on api_keys (org_id);`;

const INSTALLERS = `
create table installers (
  id text primary key,
  email text not null,
  email_key text not null unique,
  password_hash text not null,
  password_changed_at timestamptz not null default now(),
  full_name text not null,
  phone text not null,
  company text not null,
  status text not null check (status in ('pending_verification', 'active', 'disabled')),
  verified_at timestamptz,
  created_at timestamptz not null default now()
);
comment on column installers.email_key is 'the address case-folded: one account per address';
create table installer_tokens (
  token_hash bytea primary key,
  installer_id text not null references installers on delete cascade,
  purpose text not null check (purpose in ('verify_email', 'reset_password')),
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null default now()
);
create index on installer_tokens (installer_id);
create table revoked_access_tokens (
  jti text primary key,
  expires_at timestamptz not null
);`;

const PROJECTS = `
create table projects (
  id text primary key,
  org_id text not null references organizations,
  name text not null,
  site_address text not null,
  charge_points_expected integer not null check (charge_points_expected >= 0),
  site_owner_name text,
  site_owner_email text,
  status text not null default 'in_progress' check (status in ('in_progress', 'handed_over')),
  handed_over_at timestamptz,
  created_at timestamptz not null default now()
);
create index on projects (org_id, created_at, id);
create table project_installers (
  project_id text not null references projects on delete cascade,
  installer_id text not null references installers,
  assigned_at timestamptz not null default now(),
  primary key (project_id, installer_id)
);
create index on project_installers (installer_id);
create table project_reopenings (
  id bigint generated always as identity primary key,
  project_id text not null references projects on delete cascade,
  api_key_id text not null references api_keys,
  reason text not null,
  handed_over_at timestamptz not null,
  reopened_at timestamptz not null default now()
);
comment on table project_reopenings is 'audit: who unlocked a project after which handover, and why';`;

const STATIONS = `
create table stations (
  id bigint generated always as identity primary key,
  charge_point_id text not null unique,
  identity text not null unique,
  identity_spelling text not null,
  org_id text not null references organizations,
  project_id text references projects,
  registered_by text references installers,
  serial_number text not null,
  vendor text not null,
  model text not null,
  ocpp_version text not null check (ocpp_version in ('1.6', '2.0.1', '2.1')),
  max_power_kw numeric,
  connector_count integer not null,
  latitude double precision,
  longitude double precision,
  location_description text,
  security_profile smallint not null default 1,
  registration text not null default 'unknown' check (registration in ('unknown', 'pending', 'accepted', 'rejected')),
  registry_rev bigint not null default 1,
  retired_at timestamptz,
  created_at timestamptz not null default now(),
  unique (project_id, serial_number)
);
create index on stations (org_id, created_at, charge_point_id);
comment on column stations.identity is 'case-folded identity of the connection URL; unique in the deployment, the URL names no organisation';
comment on column stations.registry_rev is 'revision of the record in Redis; grows with each change of what admission needs';
create table station_verifiers (
  station_id bigint not null references stations on delete cascade,
  slot text not null check (slot in ('current', 'pending')),
  digest bytea not null,
  pepper_id text not null,
  encoding text not null check (encoding in ('literal', 'hexDecoded')),
  created_at timestamptz not null default now(),
  primary key (station_id, slot)
);
create table registry_outbox (
  station_id bigint primary key references stations on delete cascade,
  requested_at timestamptz not null default now()
);
comment on table registry_outbox is 'stations whose record in Redis is to be written again: inserted in the transaction of the change, deleted when written';`;

// One row per fact, each with the (epoch, seq) it came from: it yields only to a later one.
const FACTS = `
create table station_boots (
  station_id bigint primary key references stations on delete cascade,
  vendor text, model text, serial_number text, firmware_version text, reason text,
  payload jsonb not null,
  booted_at timestamptz not null,
  epoch bigint not null, seq integer not null
) with (fillfactor = 70);
create table station_connections (
  station_id bigint primary key references stations on delete cascade,
  epoch bigint not null,
  seq integer not null,
  node_id text not null,
  remote_address text not null,
  ocpp_version text not null,
  notes text[] not null default '{}',
  opened_at timestamptz not null,
  closed_at timestamptz,
  close_code integer,
  close_reason text,
  connected_told boolean not null default false,
  disconnect_due_at timestamptz
) with (fillfactor = 70);
comment on table station_connections is 'the newest connection of each station; business key (station, epoch)';
comment on column station_connections.connected_told is 'charge_point.connected went out and no charge_point.disconnected since';
create index on station_connections (disconnect_due_at) where disconnect_due_at is not null;
create table station_seen (
  station_id bigint primary key references stations on delete cascade,
  last_seen_at timestamptz not null,
  last_heartbeat_at timestamptz
) with (fillfactor = 70);
create table connector_status (
  station_id bigint not null references stations on delete cascade,
  evse_id integer not null,
  connector_id integer not null,
  status text not null,
  error_code text,
  info text,
  vendor_error_code text,
  reported_at timestamptz,
  received_at timestamptz not null,
  epoch bigint not null, seq integer not null,
  primary key (station_id, evse_id, connector_id)
) with (fillfactor = 70);
comment on column connector_status.evse_id is '0 for OCPP 1.6, where connector_id 0 is the whole station';`;

const TRANSACTIONS = `
create table id_tokens (
  org_id text not null references organizations,
  token text not null,
  status text not null check (status in ('Accepted', 'Blocked', 'Expired', 'Invalid')),
  expires_at timestamptz,
  group_token text,
  created_at timestamptz not null default now(),
  primary key (org_id, token)
);
comment on column id_tokens.token is 'case-folded: idTag and idToken are case-insensitive (C16 CiString, P2 IdTokenType)';
create sequence ocpp16_transaction_ids as integer minvalue 1 maxvalue 2147483647 no cycle;
create table transactions (
  id bigint generated always as identity primary key,
  session_id text not null unique,
  org_id text not null references organizations,
  station_id bigint not null references stations,
  ocpp_version text not null,
  transaction_id text not null,
  evse_id integer,
  connector_id integer,
  id_token text,
  id_token_type text,
  state text not null check (state in ('active', 'ended')),
  started_at timestamptz,
  start_received_at timestamptz,
  start_timestamp_raw text,
  meter_start_raw text,
  meter_start_wh numeric,
  start_answer jsonb,
  stopped_at timestamptz,
  stop_received_at timestamptz,
  meter_stop_wh numeric,
  stop_reason text,
  stop_id_token text,
  stop_payload jsonb,
  stop_answer jsonb,
  last_seq_no integer,
  created_at timestamptz not null default now(),
  unique (station_id, transaction_id)
);
comment on column transactions.transaction_id is '1.6: our number as text, from ocpp16_transaction_ids, unique for ever; 2.x: the station''s own';
create unique index transactions_start_16 on transactions (station_id, connector_id, id_token, start_timestamp_raw, meter_start_raw) where ocpp_version = '1.6';
comment on index transactions_start_16 is 'business key of StartTransaction: a resent start is the same transaction, with the same answer';
create index on transactions (org_id, created_at, id);
create table transaction_events (
  station_id bigint not null references stations,
  transaction_id text not null,
  seq_no integer not null,
  event_type text not null,
  trigger_reason text,
  offline boolean not null default false,
  occurred_at timestamptz,
  received_at timestamptz not null,
  payload jsonb not null,
  answer jsonb,
  primary key (station_id, transaction_id, seq_no)
);
comment on table transaction_events is 'OCPP 2.x TransactionEvent; business key (station, transactionId, seqNo)';
create table meter_shapes (
  id integer generated always as identity primary key,
  digest bytea not null unique,
  members text not null
);
comment on column meter_shapes.digest is 'SHA-256 of members, which may be longer than an index row';
comment on column meter_shapes.members is 'JSON array of {measurand, phase, location, context, unit, shift}: what stands at which place of meter_values.vals; vals are in unit, the station''s number times 10^shift';
create table meter_values (
  station_id bigint not null,
  transaction_id bigint not null,
  sampled_at timestamptz not null,
  shape integer not null,
  connector integer not null,
  vals numeric[] not null,
  raw text[],
  received_at timestamptz not null,
  primary key (station_id, transaction_id, sampled_at, connector, shape)
) partition by range (sampled_at);
comment on table meter_values is 'one row per MeterValue message element; transaction_id is transactions.id, 0 where there is none; connector is the EVSE id for 2.x; raw holds the station''s texts where they do not follow from vals; the same sample in another shape makes two rows, to be resolved on reading';
create table meter_values_default partition of meter_values default;
create table quarantine (
  station_id bigint not null,
  epoch bigint not null,
  seq integer not null,
  received_at timestamptz not null,
  action text not null,
  reason text not null,
  raw text not null,
  primary key (station_id, epoch, seq, received_at)
);
comment on table quarantine is 'messages that were answered and stored but fit nothing: an unknown transaction, a second stop with other content, a schema violation';`;

const LOG = `
create table message_log (
  station_id bigint not null,
  epoch bigint not null,
  received_at timestamptz not null,
  seq integer not null,
  direction smallint not null,
  flagged boolean not null default false,
  action text,
  message_id text,
  raw text not null,
  answer text,
  primary key (station_id, epoch, seq, received_at)
) partition by range (received_at);
comment on table message_log is 'business key (station, epoch, seq, received_at); direction 0 from the station, 1 from us';
create table message_log_default partition of message_log default;
create table dead_letters (
  id bigint generated always as identity primary key,
  lane_id text not null,
  entry_id text not null,
  frame_index integer not null,
  identity text not null,
  frame jsonb not null,
  reason text not null,
  set_aside_at timestamptz not null default now(),
  replayed_at timestamptz,
  unique (lane_id, entry_id, frame_index)
);`;

const LANES = `
create table lanes (
  id text primary key,
  node_id text not null,
  "offset" text not null default '0-0',
  sealed boolean not null default false,
  holder text,
  held_until timestamptz,
  first_seen_at timestamptz not null default now(),
  moved_at timestamptz not null default now(),
  finished_at timestamptz
);
comment on column lanes.holder is 'the intake process that drains the lane, until held_until; a convenience: what is right is decided by the compare-and-set of the offset';
create index on lanes (id) where finished_at is null;
comment on column lanes."offset" is 'id of the last entry whose effects are committed; moves in the transaction of the effects';
create table lane_gaps (
  lane_id text not null,
  from_entry text not null,
  to_entry text not null,
  noticed_at timestamptz not null default now(),
  primary key (lane_id, from_entry)
);`;

const COMMANDS = `
create table commands (
  id text primary key,
  org_id text not null references organizations,
  station_id bigint not null references stations,
  ocpp_version text not null,
  action text not null,
  payload json not null,
  sealed_payload text,
  requested_by text not null,
  state text not null default 'queued' check (state in ('queued', 'published', 'sent', 'accepted', 'rejected', 'error', 'timeout', 'not_connected', 'unknown')),
  node_id text,
  epoch bigint,
  deadline_at timestamptz not null,
  created_at timestamptz not null default now(),
  published_at timestamptz,
  sent_at timestamptz,
  answered_at timestamptz,
  final_at timestamptz,
  response json,
  error json,
  reason text
);
comment on column commands.payload is 'secrets masked; the true payload is sealed_payload then. json and not jsonb, here and below: stations send texts with \\u0000, which jsonb refuses';
comment on column commands.state is 'published: may have reached a gateway, so without an outcome it ends as unknown; queued: surely not';
create index on commands (station_id, created_at desc, id);
create index on commands (deadline_at) where final_at is null;`;

const COMMISSIONING = `
create table commissionings (
  id text primary key,
  station_id bigint not null unique references stations on delete cascade,
  project_id text not null references projects,
  installer_id text not null references installers,
  status text not null check (status in ('in_progress', 'completed', 'failed')),
  run_connectivity_test boolean not null,
  run_meter_calibration boolean not null,
  notes text,
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  revision integer not null default 1
);
comment on column commissionings.revision is 'grows with every change: what Server-Sent Events and ETags go by';
create table commissioning_checks (
  commissioning_id text not null references commissionings on delete cascade,
  name text not null check (name in ('ocpp_connection', 'heartbeat', 'meter_calibration', 'firmware_version')),
  status text not null check (status in ('pending', 'in_progress', 'passed', 'failed', 'skipped')),
  value text,
  cause text,
  remedy text,
  asked integer not null default 0,
  question_id text,
  asked_at timestamptz,
  started_at timestamptz,
  deadline_at timestamptz,
  next_attempt_at timestamptz,
  finished_at timestamptz,
  primary key (commissioning_id, name)
);
comment on column commissioning_checks.question_id is 'the last command that the check sent; no foreign key: it is noted before the command is written';
create index on commissioning_checks (next_attempt_at) where status in ('pending', 'in_progress');`;

const HANDOVER = `
create table handovers (
  project_id text primary key references projects on delete cascade,
  installer_id text not null references installers,
  signed_by text not null,
  handover_notes text not null,
  site_contact_name text not null,
  site_contact_email text not null,
  handed_over_at timestamptz not null,
  warnings text[] not null default '{}'
);
create table certificates (
  project_id text primary key references projects on delete cascade,
  pdf bytea not null,
  sha256 bytea not null,
  link_token_sealed text not null,
  link_token_hash bytea not null unique,
  created_at timestamptz not null default now()
);`;

const EVENTS = `
create table events (
  id text primary key,
  org_id text not null references organizations,
  type text not null,
  data json not null,
  occurred_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  fanned_out_at timestamptz
);
comment on table events is 'outbox: written in the transaction of what happened';
comment on column events.occurred_at is 'perhaps by a station''s clock; order of work and retention go by recorded_at';
create index on events (recorded_at) where fanned_out_at is null;
create index on events (recorded_at);
create table webhook_endpoints (
  id text primary key,
  org_id text not null references organizations,
  url text not null,
  events text[] not null,
  description text,
  sealed_secret text not null,
  sealed_previous_secret text,
  previous_secret_until timestamptz,
  status text not null default 'active' check (status in ('active', 'disabled')),
  disabled_reason text,
  created_at timestamptz not null default now(),
  deleted_at timestamptz
);
create index on webhook_endpoints (org_id, created_at, id);
create table webhook_deliveries (
  id text primary key,
  endpoint_id text not null references webhook_endpoints,
  event_id text not null references events,
  status text not null check (status in ('pending', 'delivered', 'failed')),
  attempts integer not null default 0,
  next_attempt_at timestamptz,
  last_attempt_at timestamptz,
  last_status_code integer,
  last_error text,
  created_at timestamptz not null default now(),
  unique (endpoint_id, event_id)
);
comment on column webhook_deliveries.next_attempt_at is 'while an attempt is under way: when it counts as lost with its process';
create index on webhook_deliveries (endpoint_id, next_attempt_at) where status = 'pending';
create index on webhook_deliveries (endpoint_id, created_at, id);
create index on webhook_deliveries (event_id);
create table mails (
  id text primary key,
  dedupe_key text not null unique,
  recipient text not null,
  template text not null,
  data jsonb not null,
  sealed_data text,
  status text not null default 'pending' check (status in ('pending', 'sent', 'failed')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  last_error text,
  sent_at timestamptz,
  created_at timestamptz not null default now()
);
comment on column mails.sealed_data is 'links with tokens in them, sealed; gone once the mail is sent';
comment on column mails.next_attempt_at is 'while an attempt is under way: when it counts as lost with its process';
create index on mails (next_attempt_at) where status = 'pending';`;

const API = `
create table idempotency_keys (
  caller text not null,
  key text not null,
  fingerprint bytea not null,
  status integer,
  sealed_answer text,
  created_at timestamptz not null default now(),
  primary key (caller, key)
);
comment on column idempotency_keys.status is 'null while the first request is still running';
create index on idempotency_keys (created_at);`;
