import { Migration } from "@mikro-orm/migrations";

// The previous release goes on setting frames aside: it names its columns, and the new ones have defaults.
const DEAD_LETTERS = `
alter table dead_letters
  add column public_id text not null default 'dl_' || replace(gen_random_uuid()::text, '-', ''),
  add column tries integer not null default 0,
  add column tried_at timestamptz,
  add column last_reason text,
  add column replayed_by text,
  add column discarded_at timestamptz,
  add column discarded_by text,
  add column discard_reason text;
comment on column dead_letters.public_id is 'the id that the REST API and the command line know';
comment on column dead_letters.last_reason is 'why the last replay failed; reason says why it was set aside';
comment on column dead_letters.replayed_by is 'API key, or cli: and the system account';
create unique index dead_letters_public_id on dead_letters (public_id);
create index dead_letters_open on dead_letters (id) where replayed_at is null and discarded_at is null;
create index dead_letters_of_identity on dead_letters (identity, id);
create index dead_letters_closed on dead_letters ((coalesce(replayed_at, discarded_at))) where replayed_at is not null or discarded_at is not null;`;

const GAPS = `
alter table lane_gaps
  add column acknowledged_at timestamptz,
  add column acknowledged_by text,
  add column note text;
comment on column lane_gaps.acknowledged_at is 'somebody has seen to it: it is no finding any more';`;

/** What could not be filed is looked at, tried again or given up by people, and goes by age once that is done. */
export class Migration0014SetAside extends Migration {
  override up(): void {
    this.addSql(DEAD_LETTERS);
    this.addSql(GAPS);
    this.addSql(`create index quarantine_received on quarantine (received_at)`);
  }
}
