/** The outbox, webhook endpoints and deliveries, and mails. */
export const EVENTS = `
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
