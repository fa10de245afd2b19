import type { Environment } from "@dynamo-csms/proto/process/environment";
import { ConfigReader } from "../../config-reader.ts";
import { readUnknownAttempts } from "../../connection-attempts/connection-evidence.ts";
import { isoMillis } from "../../http/iso-time.ts";
import { withServers } from "./with-servers.ts";

/**
 * Prints the attempts to connect under ids that nobody has registered, newest first, one JSON object per line: whoever runs
 * the deployment sees all of them, because they belong to no organisation yet.
 */
export async function listUnknownAttempts(
  _flags: object,
  env: Environment,
  readFile: (path: string) => string,
): Promise<void> {
  const read = new ConfigReader(env, readFile);
  await withServers(read.finish(read.shared()), async ({ redis }) => {
    for (const attempt of await readUnknownAttempts(redis))
      console.log(
        JSON.stringify({
          at: isoMillis(new Date(attempt.atMs)),
          outcome: attempt.outcome,
          path: attempt.path,
          subprotocols: attempt.subprotocols,
          remote_address: attempt.remoteAddress,
          times: attempt.times ?? 1,
          listener: attempt.listener,
          detail: attempt.detail ?? null,
          node_id: attempt.nodeId,
        }),
      );
  });
}
