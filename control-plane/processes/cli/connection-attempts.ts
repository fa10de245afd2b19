import { readUnknownAttempts } from "../../connection-attempts/connection-evidence.ts";
import { isoMillis } from "../../http/iso-time.ts";
import { type CommandIo, defineCommand } from "./cli-command.ts";
import { readShared, withServers } from "./with-servers.ts";

/**
 * Prints the attempts to connect under ids that nobody has registered, newest first, one JSON object per line: whoever runs
 * the deployment sees all of them, because they belong to no organisation yet.
 */
async function listUnknownAttempts(_flags: object, io: CommandIo): Promise<void> {
  await withServers(readShared(io), async ({ redis }) => {
    for (const attempt of await readUnknownAttempts(redis))
      io.print({
        at: isoMillis(new Date(attempt.atMs)),
        outcome: attempt.outcome,
        path: attempt.path,
        subprotocols: attempt.subprotocols,
        remote_address: attempt.remoteAddress,
        times: attempt.times ?? 1,
        listener: attempt.listener,
        detail: attempt.detail ?? null,
        node_id: attempt.nodeId,
      });
  });
}

/** Who tries to connect. */
export const connectionAttemptCommands = [
  defineCommand({
    name: "connection-attempts unknown",
    summary: "Prints the last attempts to connect under ids that nobody has registered, newest first.",
    flags: {},
    examples: ["connection-attempts unknown"],
    columns: ["at", "outcome", "path", "subprotocols", "remote_address", "times"],
    reads: true,
    run: listUnknownAttempts,
  }),
];
