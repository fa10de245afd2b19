/** Charge points as registered, and what the gateways must know of them. */
export const STATIONS = `
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
  created_at timestamptz not null default now()
);
create unique index stations_one_per_serial_number on stations (project_id, serial_number) where retired_at is null;
create index on stations (org_id, created_at, charge_point_id);
comment on column stations.identity is 'case-folded identity of the connection URL; unique in the deployment, the URL names no organisation';
comment on column stations.retired_at is 'taken out of the project: shown nowhere, refused by the gateways, its history stays';
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
  requested_at timestamptz not null default now(),
  close_socket boolean not null default false
);
comment on table registry_outbox is 'stations whose record in Redis is to be written again: inserted in the transaction of the change, deleted when written';
comment on column registry_outbox.close_socket is 'whoever is connected is to be disconnected once the record is written; deleted when a gateway heard of it';`;

/** One row per fact, each with the (epoch, seq) it came from: it yields only to a later one. */
export const FACTS = `
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
