import { Migration } from "@mikro-orm/migrations";

/** What is left to be told of sessions. Writers of transactions wait while each row is looked at once. */
export class Migration0010UntoldSessions extends Migration {
  override up(): void {
    this.addSql(`
create index transactions_untold on transactions (id)
  where (state = 'ended' and not ended_told)
     or (started_at is not null and not started_told and (ocpp_version <> '1.6' or start_confirmed_at is not null));
comment on index transactions_untold is 'left by processes of a release that told nothing of sessions: this one tells in the transaction that brings it about';`);
  }
}
