import { Migration } from "@mikro-orm/migrations";

/** Commands that wait for their station, and follow-ups of the control plane's own. */
export class Migration0002QueuedCommands extends Migration {
  override up(): void {
    this.addSql(`
alter table commands
  add column deliver text not null default 'now' check (deliver in ('now', 'when_connected')),
  add column not_before timestamptz,
  add column dedupe_key text,
  add column valid_until timestamptz,
  add column wake_at timestamptz,
  add column effect_fault text,
  add constraint commands_waiting_until check (deliver = 'now' or (valid_until is not null and wake_at is not null));
comment on column commands.deliver is 'when_connected: waits as queued until the station is connected or valid_until passes; on its way it is published as any other, and goes back to queued when it surely was not sent';
comment on column commands.dedupe_key is 'at most one command of a station that is not final yet has it';
comment on column commands.valid_until is 'of those that wait: not sent later. deadline_at is the same while it is queued, and the end of its attempt once it is published';
comment on column commands.wake_at is 'when the sweep looks at a waiting command again: moved ahead while the station is away, and back when it connects';
comment on column commands.effect_fault is 'why an effect of its outcome could not be applied; the outcome stands';
create unique index commands_one_waiting on commands (station_id, dedupe_key) where final_at is null and dedupe_key is not null;
create index commands_waiting on commands (wake_at, station_id) where state = 'queued' and deliver = 'when_connected';
create index commands_of_queue on commands (station_id) where deliver = 'when_connected' and final_at is null;`);
  }
}
