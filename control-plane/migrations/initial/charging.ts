/** Transactions, meter values, and messages that fit nothing. */
export const TRANSACTIONS = `
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
  start_confirmed_at timestamptz,
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
comment on column transactions.start_confirmed_at is '1.6: when the start was found in a lane with this answer, so that the station was told it; null for long: the gateway had given up waiting for the decision, and a station that does not send the start again charges under no number or another';
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
