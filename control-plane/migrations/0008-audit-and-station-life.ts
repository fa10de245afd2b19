import { Migration } from "@mikro-orm/migrations";

/** Who did what: rows are only ever added, and finished once. */
const AUDIT = `
create table audit_log (
  id text primary key,
  at timestamptz not null default clock_timestamp(),
  org_id text,
  actor_kind text not null check (actor_kind in ('api_key', 'installer', 'public', 'cli')),
  actor_id text,
  action text not null,
  target_kind text,
  target_id text,
  request_id text,
  remote_address text,
  request json,
  before json,
  after json,
  outcome text not null default 'running' check (outcome in ('running', 'done', 'refused', 'failed')),
  status integer,
  finished_at timestamptz
);
comment on table audit_log is 'written before an action runs and finished behind it: one that stayed "running" belongs to a process that died, and may have had its effect';
comment on column audit_log.request is 'the body with secrets and personal data masked';
create index on audit_log (org_id, at desc, id desc);
create index on audit_log (target_kind, target_id, at desc);
create function audit_log_is_append_only() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.outcome = 'running' and new.id = old.id and new.at = old.at and new.action = old.action
     and new.actor_kind = old.actor_kind and new.actor_id is not distinct from old.actor_id
     and new.request::text is not distinct from old.request::text
     and (old.before is null or new.before::text = old.before::text) then
    return new;
  end if;
  raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_append_only before update or delete on audit_log for each row execute function audit_log_is_append_only();
create trigger audit_log_no_truncate before truncate on audit_log for each statement execute function audit_log_is_append_only();`;

/** The hardware that stood in a bay, and requests to erase a person's data. */
const STATION_LIFE = `
alter table stations add column hardware_epoch bigint not null default 0;
comment on column stations.hardware_epoch is 'what connections up to this epoch reported is of hardware that was replaced: it changes no fact any more';
create table station_hardware (
  id bigint generated always as identity primary key,
  station_id bigint not null references stations on delete cascade,
  serial_number text not null,
  vendor text not null,
  model text not null,
  ocpp_version text not null,
  firmware_version text,
  reason text,
  removed_at timestamptz not null default now()
);
comment on table station_hardware is 'units that were replaced: what stands there now is in stations';
create index on station_hardware (station_id, removed_at);
create table erasures (
  id text primary key,
  org_id text not null references organizations,
  kind text not null check (kind in ('id_token', 'email')),
  sealed_subject text,
  pseudonym text not null,
  requested_by text not null,
  requested_at timestamptz not null default now(),
  finished_at timestamptz,
  counts json,
  last_error text
);
comment on column erasures.sealed_subject is 'who is to be forgotten; gone once it is done';
create index on erasures (org_id, requested_at desc, id desc);
create index on erasures (requested_at) where finished_at is null;`;

/** The audit log; replaced units; erasures of personal data. */
export class Migration0008AuditAndStationLife extends Migration {
  override up(): void {
    this.addSql(AUDIT);
    this.addSql(STATION_LIFE);
  }
}
