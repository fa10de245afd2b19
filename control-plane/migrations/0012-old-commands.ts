import { Migration } from "@mikro-orm/migrations";

/** What goes by age: each is found by when it ended, or began. Writers of commands wait while each row is looked at once. */
export class Migration0012OldCommands extends Migration {
  override up(): void {
    this.addSql(`
create index commands_ended on commands (final_at, id) where final_at is not null;
create index transfer_jobs_requested on transfer_jobs (requested_at, command_id);
create index reservations_ended on reservations ((coalesce(ended_at, expires_at)), station_id, reservation_id);
create index charging_profiles_ended on charging_profiles ((coalesce(cleared_at, recorded_at)), station_id, profile_id)
  where cleared_at is not null or transaction_id is not null;`);
  }
}
