import { Migration } from "@mikro-orm/migrations";

// What takes as long as there are transactions, apart from 0003: while it runs they can be read, and tokens judged; writers
// wait, as for a Postgres that is away, instead of meeting the updates row by row.
const LOCK = "lock table transactions in share row exclusive mode";

const INDEXES = `
create index transactions_by_token on transactions (org_id, lower(id_token), created_at);
create index transactions_by_start on transactions (org_id, (coalesce(started_at, created_at)));
create index transactions_active on transactions (station_id) where state = 'active';
create index transactions_in_question on transactions (id)
  where ocpp_version <> '1.6' and status_settled_at is null and status_asked < 3 and (state = 'active' or not complete);`;

const FORMER_TRANSACTIONS = `
update transactions t
set (started_seq_no, ended_seq_no, last_event_at) = (
  select min(seq_no) filter (where event_type = 'Started'), max(seq_no) filter (where event_type = 'Ended'), max(received_at)
  from transaction_events e where e.station_id = t.station_id and e.transaction_id = t.transaction_id)
where ocpp_version <> '1.6';
update transactions t
set complete = (
  select count(*) from transaction_events e
  where e.station_id = t.station_id and e.transaction_id = t.transaction_id and e.seq_no between started_seq_no and ended_seq_no
) = ended_seq_no::bigint - started_seq_no + 1
where started_seq_no is not null and ended_seq_no is not null;`;

/** Indexes of sessions, and what 0003 asks of transactions that were there before it. */
export class Migration0009FormerSessions extends Migration {
  override up(): void {
    for (const statement of [LOCK, INDEXES, FORMER_TRANSACTIONS]) this.addSql(statement);
  }
}
