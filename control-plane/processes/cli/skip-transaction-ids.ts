import type { Environment } from "@dynamo-csms/proto/process/environment";
import { sqlOn } from "../../database.ts";
import { ConfigReader } from "../../config-reader.ts";
import { highestGiven } from "../../transactions/draw-transaction-id.ts";
import { CliMistake } from "./cli-mistake.ts";
import { withServers } from "./with-servers.ts";

const DEFAULT_COUNT = 100_000;

/**
 * Leaves transaction ids of OCPP 1.6 out, behind the highest that Redis knows of: for a Postgres that came back from something older
 * which it does not notice by itself, the snapshot of a disk above all. To be run before the decisions process is started.
 */
export async function skipTransactionIds(
  flags: { count?: string | undefined },
  env: Environment,
  readFile: (path: string) => string,
): Promise<void> {
  const count = Number(flags.count ?? DEFAULT_COUNT);
  if (!Number.isInteger(count) || count < 1 || count > 1_000_000_000)
    throw new CliMistake("--count: want a whole number from 1 to 1000000000");
  const read = new ConfigReader(env, readFile);
  await withServers(read.finish(read.shared()), async ({ pool, redis }) => {
    const [row] = await sqlOn(pool).query<{ last: number }>("select skip_ocpp16_transaction_ids($1, $2) as last", [
      await highestGiven(redis),
      count,
    ]);
    console.log(JSON.stringify({ skipped: count, next: Number(row?.last) + 1 }));
  });
}
