import type { FaultySystem } from "../contract.ts";
import { parseCallKey } from "./call-key.ts";
import { CHECKS, FIND_IN_LOG, SCHEMA } from "./checks.ts";
import type { AnsweredCall, Segment } from "./segment.ts";

export interface Verdict {
  acknowledged: number;
  lost: number;
  duplicated: number;
  disordered: number;
  wrongReplies: number;
  /** A few of each, in words. */
  examples: string[];
}

const CHUNK = 10_000;
const EXAMPLES_PER_CHECK = 3;

/** Makes the harness's own tables beside the product's. Once per system. */
export async function prepareJudge(system: Pick<FaultySystem, "sql">): Promise<void> {
  await system.sql(SCHEMA);
}

/**
 * Compares a segment with Postgres. Everything in the lanes must be applied by then.
 * @param since no message of the segment was received before, by the clock of Postgres and the gateways
 */
export async function judgeCalls(system: Pick<FaultySystem, "sql">, segment: Segment, since: Date): Promise<Verdict> {
  const { sql } = system;
  const { answered, strays, refusedTransactionMessages } = segment;
  await sql(`truncate harness.calls`);
  for (let at = 0; at < answered.length; at += CHUNK) await insertCalls(system, answered.slice(at, at + CHUNK), at);
  await sql(`analyze harness.calls`);
  await sql(FIND_IN_LOG, [since.toISOString()]);
  const found = { lost: 0, duplicated: 0, disordered: 0, "wrong reply": 0 };
  const examples = [...strays.slice(0, 5), ...refusedTransactionMessages.slice(0, 5)];
  for (const check of CHECKS) {
    const rows = await sql<{ what: string; total: string }>(
      `select what, count(*) over () as total from (${check.sql}) findings limit ${EXAMPLES_PER_CHECK}`,
      check.sql.includes("$1") ? [since.toISOString()] : [],
    );
    found[check.finds] += Number(rows[0]?.total ?? 0);
    examples.push(...rows.map((row) => `${check.finds}: ${row.what}`));
  }
  await sql(
    `insert into harness.starts select distinct on (station_id, connector, started_at) station_id, connector, started_at, told_transaction
     from harness.calls where action = 'StartTransaction' and told_transaction is not null order by station_id, connector, started_at, n
     on conflict do nothing`,
  );
  return {
    acknowledged: answered.length,
    lost: found.lost,
    duplicated: found.duplicated,
    disordered: found.disordered,
    wrongReplies: found["wrong reply"] + strays.length + refusedTransactionMessages.length,
    examples,
  };
}

async function insertCalls({ sql }: Pick<FaultySystem, "sql">, calls: AnsweredCall[], from: number): Promise<void> {
  const keys = calls.map((call) => parseCallKey(call.key));
  const textOf = (value: unknown) => (typeof value === "string" || typeof value === "number" ? String(value) : null);
  await sql(
    `insert into harness.calls
     select u.n, u.station, s.id, u.message_id, u.action, u.sent, u.connector, u.evse, u.status, u.started_at, u.at, u.transaction_id, u.seq_no, u.vals, u.told_transaction, u.told_status
     from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[], $8::text[], $9::text[], $10::text[], $11::text[], $12::int[], $13::int[], $14::text[], $15::text[])
       as u (n, station, message_id, action, sent, connector, evse, status, started_at, at, transaction_id, seq_no, vals, told_transaction, told_status)
     left join stations s on s.charge_point_id = u.station`,
    [
      calls.map((_, at) => from + at),
      calls.map((call) => call.station),
      calls.map((call) => call.messageId),
      calls.map((call) => call.action),
      calls.map((call) => call.sent),
      keys.map((key) => key.connector ?? null),
      keys.map((key) => key.evse ?? null),
      keys.map((key) => key.status ?? null),
      keys.map((key) => key.startedAt ?? null),
      keys.map((key) => key.at ?? null),
      keys.map((key) => key.transactionId ?? null),
      keys.map((key) => key.seqNo ?? null),
      keys.map((key) => key.values ?? null),
      calls.map((call) => textOf(call.facts["transactionId"])),
      calls.map((call) => textOf(call.facts["status"])),
    ],
  );
}
