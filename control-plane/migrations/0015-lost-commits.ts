import { Migration } from "@mikro-orm/migrations";

// A Postgres that lost its last commits (a failover to an asynchronous standby, a restore) has a sequence that went back too.
// It also has another timeline, or is another system: from that the first draw sees it. Where a managed Postgres keeps one of
// these words to itself, the others do; where nothing changes (the snapshot of a disk), `cli transaction-ids skip` does it.
// What was seen last is kept in a sequence too, because a rollback does not undo that: a start that fails again and again
// must not leave ids out each time.
const TRANSACTION_IDS = `
create function ocpp16_transaction_id_origin() returns bigint language plpgsql as $$
declare
  timeline text;
  -- The same as long as the server runs, and costly to ask for: kept with the session.
  system_id text := nullif(current_setting('dynamo_csms.system_id', true), '');
begin
  begin
    timeline := substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8);
  exception when others then null;
  end;
  if system_id is null then
    begin
      system_id := (select system_identifier::text from pg_control_system());
    exception when others then system_id := 'unknown';
    end;
    perform set_config('dynamo_csms.system_id', system_id, false);
  end if;
  return hashtextextended(concat_ws('/', timeline, system_id, 'ocpp16_transaction_ids'::regclass::oid), 0) & 9223372036854775806 | 1;
end $$;
comment on function ocpp16_transaction_id_origin is 'which line of commits this is: another after a failover, a restore to a point in time, or a dump put into another server';
create sequence ocpp16_transaction_id_origin_seen as bigint;
comment on sequence ocpp16_transaction_id_origin_seen is 'no counter: the origin under which transaction ids were last drawn';
select setval('ocpp16_transaction_id_origin_seen', ocpp16_transaction_id_origin());
create function skip_ocpp16_transaction_ids(given integer, skipped integer) returns integer language plpgsql as $$
begin
  -- With whoever else moves the sequence by more than one at a time: nothing ever sets it back.
  perform pg_advisory_xact_lock('ocpp16_transaction_ids'::regclass::oid::bigint);
  return setval('ocpp16_transaction_ids', greatest(given, (select last_value from ocpp16_transaction_ids)) + skipped);
end $$;
comment on function skip_ocpp16_transaction_ids is 'leaves ids out, behind the last one and behind the highest that is known to have been given';
create function pass_ocpp16_transaction_id(id bigint) returns void language plpgsql as $$
begin
  if id <= (select last_value from ocpp16_transaction_ids) then return; end if;
  perform pg_advisory_xact_lock('ocpp16_transaction_ids'::regclass::oid::bigint);
  -- One by one: whoever draws meanwhile, nextval never goes back.
  perform count(nextval('ocpp16_transaction_ids')) from generate_series(1, id - (select last_value from ocpp16_transaction_ids));
end $$;
comment on function pass_ocpp16_transaction_id is 'nobody is given an id up to this one any more';
create function next_ocpp16_transaction_id(given integer) returns integer language plpgsql as $$
declare
  origin bigint := ocpp16_transaction_id_origin();
begin
  if origin <> (select last_value from ocpp16_transaction_id_origin_seen) then
    if given is null then return null; end if;
    perform pg_advisory_xact_lock('ocpp16_transaction_ids'::regclass::oid::bigint);
    if origin <> (select last_value from ocpp16_transaction_id_origin_seen) then
      perform skip_ocpp16_transaction_ids(given, 100000);
      perform setval('ocpp16_transaction_id_origin_seen', origin);
    end if;
  end if;
  return nextval('ocpp16_transaction_ids');
end $$;
comment on function next_ocpp16_transaction_id is 'a transaction id that nobody was given, also by what this Postgres has lost. null: the origin changed, so the highest id that was given has to be known (Redis, ocpp:transaction-ids)';`;

// What Redis holds may be newer than what Postgres knows. An older release leaves these null, and nothing is concluded.
const REGISTRY = `
alter table registry_outbox add column base_rev bigint, add column revs bigint[];
comment on column registry_outbox.base_rev is 'revision that Postgres had before the first of these requests: Redis holds it, an older one, or one of revs; anything later comes from commits that were lost';
alter table station_verifiers
  drop constraint station_verifiers_slot_check,
  add constraint station_verifiers_slot_check
    check (slot in ('current', 'current_text', 'pending', 'pending_text') or slot like 'restored_%') not valid;
comment on column station_verifiers.slot is 'the _text ones: the digits of a hexadecimal key taken literally, until the first login tells which of the two the station sends; restored_*: known from Redis alone, after Postgres lost commits';
create table restored_revocations (
  station_id bigint not null references stations on delete cascade,
  fingerprint text not null,
  restored_at timestamptz not null default now(),
  primary key (station_id, fingerprint)
);
comment on table restored_revocations is 'client certificates that the gateways refuse, known from Redis alone: Postgres lost the certificates with their revocation';`;

/** A Postgres that lost its last commits gives no transaction id twice, and takes from Redis what only Redis knows. */
export class Migration0015LostCommits extends Migration {
  override up(): void {
    this.addSql(TRANSACTION_IDS);
    this.addSql(REGISTRY);
  }
}
