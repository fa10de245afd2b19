/** Commands to charge points and their outcomes. */
export const COMMANDS = `
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

/** Commissionings and their checks. */
export const COMMISSIONING = `
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
