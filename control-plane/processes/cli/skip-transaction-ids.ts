import { sqlOn } from "../../database.ts";
import { highestGiven } from "../../transactions/draw-transaction-id.ts";
import { type CommandIo, defineCommand } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { readShared, withServers } from "./with-servers.ts";

const DEFAULT_COUNT = 100_000;

/**
 * Leaves transaction ids of OCPP 1.6 out, behind the highest that Redis knows of: for a Postgres that came back from something older
 * which it does not notice by itself, the snapshot of a disk above all. To be run before the decisions process is started.
 */
async function skipTransactionIds(flags: { count: string | undefined }, io: CommandIo): Promise<void> {
  const count = Number(flags.count ?? DEFAULT_COUNT);
  if (!Number.isInteger(count) || count < 1 || count > 1_000_000_000)
    throw new CliMistake("--count: want a whole number from 1 to 1000000000");
  await withServers(readShared(io), async ({ pool, redis }) => {
    const [row] = await sqlOn(pool).query<{ last: number }>("select skip_ocpp16_transaction_ids($1, $2) as last", [
      await highestGiven(redis),
      count,
    ]);
    io.print({ skipped: count, next: Number(row?.last) + 1 });
  });
}

/** After the snapshot of a disk. */
export const transactionIdCommand = defineCommand({
  name: "transaction-ids skip",
  summary: "Leaves transaction ids of OCPP 1.6 out behind the last one that is known.",
  more: "After Postgres came back from the snapshot of a disk, before the decisions process is started.",
  flags: { count: { value: "N", help: `how many; ${DEFAULT_COUNT}, if nothing is said` } },
  examples: ["transaction-ids skip", "transaction-ids skip --count 5000000"],
  run: skipTransactionIds,
});
