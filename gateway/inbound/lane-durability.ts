import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { Cluster } from "ioredis";

/** What an acknowledgement promises: Redis has it, a replica has it too, or it is on the disk. */
export type AckDurability = "redis" | "replica" | "aof";

/** The server cannot keep the promise that was configured: a reason not to start, never to promise less. */
export class DurabilityRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "DurabilityRefused";
  }
}

/** Blocks the connection for at most this long; then the entries behind it get their turn and it is asked again. */
const WAIT_TIMEOUT_MS = 1_000;

/** Waits until everything that was written on the connection before is durable. False: not (yet), ask again. */
export type GroupCommit = (connection: RedisConnection) => Promise<boolean>;

/**
 * How to make entries durable on this server. Undefined: XADD's own reply says it already.
 * Rejects with DurabilityRefused when the server cannot; with the connection's error when it cannot be asked.
 */
export async function groupCommitFor(
  durability: AckDurability,
  connection: RedisConnection,
): Promise<GroupCommit | undefined> {
  if (durability === "redis") return undefined;
  // WAIT counts for the connection it is sent on, and a cluster client has one for each master.
  if (connection instanceof Cluster)
    throw new DurabilityRefused(`ACK_DURABILITY=${durability} needs a single primary, not a cluster`);
  if (durability === "replica")
    return async (link) => Number(await link.call("WAIT", "1", String(WAIT_TIMEOUT_MS))) >= 1;

  const [known] = (await connection.call("COMMAND", "INFO", "WAITAOF")) as unknown[];
  if (known !== null && known !== undefined) {
    if (!(await isSet(connection, "appendonly", "yes")))
      throw new DurabilityRefused("ACK_DURABILITY=aof: the server runs with appendonly no");
    return async (link) =>
      Number(((await link.call("WAITAOF", "1", "0", String(WAIT_TIMEOUT_MS))) as unknown[])[0]) >= 1;
  }
  // Before Redis 7.2 only a server that syncs before each reply can promise it.
  if ((await isSet(connection, "appendonly", "yes")) && (await isSet(connection, "appendfsync", "always")))
    return undefined;
  throw new DurabilityRefused(
    "ACK_DURABILITY=aof: this server has no WAITAOF (Redis 7.2), and does not run with appendonly yes and appendfsync always",
  );
}

async function isSet(connection: RedisConnection, name: string, value: string): Promise<boolean> {
  const reply = (await connection.call("CONFIG", "GET", name)) as unknown[];
  return reply[1] === value;
}
