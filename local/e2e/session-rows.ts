import type { Evidence } from "./ledger-check.ts";

type Row = Record<string, unknown>;

/** Of a station's own time, or of the session: these are compared. Every other `…_at` is a moment of the run. */
const TIMES_OF_THE_STATION = new Set(["started_at", "stopped_at", "occurred_at", "sampled_at", "reported_at"]);
/** What differs between two stations, or between two runs, by nature. */
const OF_THE_RUN = new Set(["id", "session_id", "station_id", "epoch", "seq", "charge_point_id"]);

/**
 * What a station's sessions left in the tables, without what differs between two stations by nature: ids, epochs, moments of
 * receipt. Transactions are numbered in their order.
 */
export async function sessionRows(evidence: Evidence, identity: string): Promise<Record<string, Row[]>> {
  const of = (table: string) =>
    evidence.sql<{ row: Row }>(
      `select to_jsonb(t) as row from ${table} t join stations s on s.id = t.station_id where s.charge_point_id = $1`,
      [identity],
    );
  const tables = await Promise.all(["transactions", "transaction_events", "meter_values", "connector_status"].map(of));
  const [transactions = [], events = [], values = [], connectors = []] = tables.map((rows) =>
    rows.map(({ row }) => row),
  );
  const numberOf = new Map<string, number>();
  for (const [index, { id, transaction_id }] of transactions.sort(byText("started_at")).entries()) {
    // meter_values name the row, all else names OCPP's own id.
    numberOf.set(`row ${String(id)}`, index + 1);
    numberOf.set(`ocpp ${String(transaction_id)}`, index + 1);
  }
  const normal = (row: Row, key: "row" | "ocpp"): Row => {
    const kept = Object.entries(row).filter(
      ([name]) => !OF_THE_RUN.has(name) && (!name.endsWith("_at") || TIMES_OF_THE_STATION.has(name)),
    );
    const transaction = numberOf.get(`${key} ${String(row["transaction_id"])}`);
    return withoutIds({ ...Object.fromEntries(kept), transaction_id: transaction ?? null }) as Row;
  };
  return {
    transactions: transactions.map((row) => normal(row, "ocpp")),
    events: events.map((row) => normal(row, "ocpp")).sort(byJson),
    meterValues: values.map((row) => normal(row, "row")).sort(byJson),
    connectors: connectors.map((row) => normal(row, "ocpp")).sort(byJson),
  };
}

/** The number that 1.6 gives to a transaction stands in stored answers and messages as well. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === "transactionId" && typeof inner === "number" ? "a number of ours" : withoutIds(inner),
    ]),
  );
}

const byText = (name: string) => (a: Row, b: Row) => (String(a[name]) < String(b[name]) ? -1 : 1);
const byJson = (a: Row, b: Row) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
