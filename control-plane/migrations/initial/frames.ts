/** Frames as they travelled, and those that could not be filed. */
export const LOG = `
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

/** How far each lane has been read. */
export const LANES = `
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
