// What the intake is measured against: the rows it wrote, once more, by COPY alone. A process of its own, so that its CPU
// time can be read. Orders and answers are messages of the parent.
import pg from "pg";

/** Name of the table → rows as lines of COPY's text format, made beforehand. */
export interface CopyOrder {
  /** Rows are read from the first table and copied into the second. */
  tables: { from: string; to: string; columns: string[] }[];
  /** Rows of all tables in one transaction. */
  rowsPerTransaction: number;
}

const [, , databaseUrl] = process.argv;
const client = new pg.Client({ connectionString: databaseUrl as string });
await client.connect();

/** The values of one row as its client has them: strings, numbers, null. */
type Row = (string | number | null)[];
let loaded: { to: string; columns: string[]; rows: Row[] }[] = [];
let rowsPerTransaction = 0;

async function load(order: CopyOrder): Promise<void> {
  rowsPerTransaction = order.rowsPerTransaction;
  loaded = [];
  for (const { from, to, columns } of order.tables) {
    const { rows } = await client.query<Row>({
      text: `select ${columns.map((column) => `${column}::text`).join(", ")} from ${from} order by ctid`,
      rowMode: "array",
    });
    loaded.push({ to, columns, rows });
  }
}

/** As many rows of each table in one transaction as its share of all rows is. */
async function copy(): Promise<number> {
  const all = loaded.reduce((sum, { rows }) => sum + rows.length, 0);
  const transactions = Math.ceil(all / rowsPerTransaction);
  for (let n = 0; n < transactions; n += 1) {
    await client.query("begin");
    for (const { to, columns, rows } of loaded) {
      const part = rows.slice(
        Math.floor((n * rows.length) / transactions),
        Math.floor(((n + 1) * rows.length) / transactions),
      );
      if (part.length > 0) await copyRows(`copy ${to} (${columns.join(", ")}) from stdin`, part);
    }
    await client.query("commit");
  }
  return all;
}

/** What pg's connection has and its types do not tell. */
interface CopyingConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

function copyRows(text: string, rows: Row[]): Promise<void> {
  let lines = "";
  for (const row of rows) {
    for (let n = 0; n < row.length; n += 1) {
      const value = row[n] ?? null;
      lines += n === 0 ? "" : "\t";
      lines += value === null ? "\\N" : typeof value === "number" ? value : escaped(value);
    }
    lines += "\n";
  }
  return new Promise((resolve, reject) => {
    client.query(
      Object.assign(new pg.Query<Row>(text), {
        handleCopyInResponse(connection: CopyingConnection) {
          connection.sendCopyFromChunk(Buffer.from(lines));
          connection.endCopyFrom();
        },
        callback: (fault: Error | null) => (fault === null ? resolve() : reject(fault)),
      }),
    );
  });
}

const SPECIAL = /[\\\n\r\t]/;
const escaped = (text: string): string =>
  SPECIAL.test(text)
    ? text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t")
    : text;

process.on("message", (order: CopyOrder | "copy") => {
  (order === "copy" ? copy() : load(order)).then(
    (rows) => process.send?.({ rows: rows ?? 0 }),
    (fault: unknown) => process.send?.({ fault: String(fault) }),
  );
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
