import { Migration } from "@mikro-orm/migrations";

// Tokens that are there keep working as they did: without a limit. New ones get theirs from who makes them.
const ID_TOKENS = `
alter table id_tokens
  add column id text not null default 'tok_' || replace(gen_random_uuid()::text, '-', ''),
  add column type text,
  add column max_active_transactions integer check (max_active_transactions >= 1),
  add column note text,
  add column changed_at timestamptz not null default clock_timestamp();
create unique index id_tokens_id on id_tokens (id);
create index id_tokens_by_group on id_tokens (org_id, group_token) where group_token is not null;
create index id_tokens_by_age on id_tokens (org_id, created_at, id);
comment on column id_tokens.id is 'what REST addresses name: card numbers have no business in the logs of proxies';
comment on column id_tokens.max_active_transactions is 'null: no limit';
comment on column id_tokens.changed_at is 'revision of what the gateways'' cache holds of the token';`;

// Rows of before have told their sessions, or never will: nobody wants to hear of them now.
const TRANSACTIONS = `
alter table transactions
  add column id_token_status text,
  add column offline boolean not null default false,
  add column flags text[] not null default '{}',
  add column started_told boolean not null default true,
  add column ended_told boolean not null default true,
  add column started_seq_no integer,
  add column ended_seq_no integer,
  add column complete boolean not null default false,
  add column last_event_at timestamptz,
  add column given_up_at timestamptz,
  add column given_up_reason text check (given_up_reason in ('newer_transaction', 'forgotten_by_station')),
  add column status_asked smallint not null default 0,
  add column status_asked_at timestamptz,
  add column status_settled_at timestamptz;
alter table transactions alter column started_told set default false, alter column ended_told set default false;
comment on column transactions.id_token_status is 'what was said of id_token when it came; null: nothing was';
comment on column transactions.offline is '2.x: an event of it was sent later than it happened';
comment on column transactions.flags is 'what was odd about its messages and does not follow from the other columns';
comment on column transactions.started_told is 'session.started went out; ended_told: session.ended';
comment on column transactions.complete is '2.x: every event from Started to Ended is filed';
comment on column transactions.last_event_at is '2.x: when the last event of it was received';
comment on column transactions.given_up_at is 'it never ended, and surely is over; should its end come after all, that counts';
comment on column transactions.status_settled_at is '2.x: the station said that nothing more of it is queued; open again with its next event';`;

const SIGNED_METER_VALUES = `
create table signed_meter_values (
  station_id bigint not null references stations,
  transaction_id text not null,
  digest bytea not null,
  sampled_at timestamptz,
  received_at timestamptz not null,
  context text,
  measurand text,
  signed_data text not null,
  signing_method text,
  encoding_method text,
  public_key text,
  primary key (station_id, transaction_id, digest)
);
comment on table signed_meter_values is 'kept with their transaction, beyond the message log: proof of what was charged, byte by byte as the meter signed it; no foreign key to the transaction, which may come later or never';
comment on column signed_meter_values.digest is 'SHA-256 of all that was sent with it: the same value resent is the same row';`;

const SETTLEMENTS = `
create table settlements (
  station_id bigint not null references stations,
  psp_ref text not null,
  transaction_id text,
  status text not null,
  status_info text,
  amount numeric not null,
  settled_at timestamptz,
  receipt_id text,
  receipt_url text,
  payload jsonb not null,
  received_at timestamptz not null,
  epoch bigint not null,
  seq integer not null,
  primary key (station_id, psp_ref)
);
create index settlements_of_transaction on settlements (station_id, transaction_id);
comment on table settlements is '2.1 NotifySettlement: what a payment terminal did with a payment; business key (station, pspRef), the newest word on it';`;

/** Id tokens over REST, concurrent transactions, sessions, signed meter values, settlements. */
export class Migration0003AuthorizationAndSessions extends Migration {
  override up(): void {
    for (const statement of [ID_TOKENS, TRANSACTIONS, SIGNED_METER_VALUES, SETTLEMENTS]) this.addSql(statement);
  }
}
