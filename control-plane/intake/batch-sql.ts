import pg from "pg";
import type { Sql } from "../database.ts";
import { faultKindOf } from "../fault-kind.ts";
import { arrayLiteral } from "../pg-text.ts";

/**
 * Runs a batch in one transaction of its own: committed when `work` resolves, rolled back when it throws. Each statement is
 * prepared once per connection. A connection on which something other than the data was wrong is not used again: what it
 * had prepared may be what is wrong (a schema that was changed meanwhile).
 * @param copying whether `copy` is there: a row that is there already makes it fail, and the batch with it.
 */
export async function inBatchTransaction<T>(
  pool: pg.Pool,
  copying: boolean,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const result = await work(batchSqlOn(client, copying));
    await client.query("commit");
    client.release();
    return result;
  } catch (cause) {
    const outage = faultKindOf(cause) === "outage";
    await client.query("rollback").then(
      () => client.release(outage && cause instanceof pg.DatabaseError),
      (fault: Error) => client.release(fault),
    );
    throw cause;
  }
}

/** Statement → its name in every session. The texts are ours and few; should they not be, the rest goes without a name. */
const names = new Map<string, string>();
const MAX_NAMES = 300;

function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_NAMES) return known;
  const name = `intake_${names.size + 1}`;
  names.set(text, name);
  return name;
}

function batchSqlOn(client: pg.ClientBase, copying: boolean): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      // Savepoints and the like: nothing to plan.
      const name = values.length === 0 ? undefined : nameOf(text);
      const result = await client.query({ text, values: values.map(asParameter), ...(name !== undefined && { name }) });
      return result.rows as Row[];
    },
    ...(copying && { copy: (text: string, lines: string) => copyInto(client, text, lines) }),
  };
}

/** pg itself escapes arrays item by item, with two regular expressions each. */
const asParameter = (value: unknown): unknown => (isArrayOfScalars(value) ? arrayLiteral(value) : value);

const isArrayOfScalars = (value: unknown): value is (string | number | bigint | boolean | null | undefined)[] =>
  Array.isArray(value) && value.every((item) => item === null || typeof item !== "object");

/** What pg's connection has and its types do not tell. */
interface CopyingConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** @param lines each with its end of line. */
function copyInto(client: pg.ClientBase, text: string, lines: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = Object.assign(new pg.Query(text), {
      // pg's own answer to the server's "send it" refuses.
      handleCopyInResponse(connection: CopyingConnection) {
        connection.sendCopyFromChunk(Buffer.from(lines, "utf8"));
        connection.endCopyFrom();
      },
      callback: (fault: Error | null) => (fault === null ? resolve() : reject(fault)),
    });
    client.query(query);
  });
}
