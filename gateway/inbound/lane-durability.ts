import type { Redis } from "ioredis";

/** What an acknowledgement promises: Redis has it, so many replicas have it too, or it is on the disk. */
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
export type GroupCommit = (connection: Redis) => Promise<boolean>;

/**
 * How to make entries durable on this server. Undefined: XADD's own reply says it already.
 * Rejects with DurabilityRefused when the server cannot; with the connection's error when it cannot be asked.
 * @param replicas how many must have an entry, for "replica"
 */
export async function groupCommitFor(
  durability: AckDurability,
  replicas: number,
  connection: Redis,
): Promise<GroupCommit | undefined> {
  switch (durability) {
    case "redis":
      return undefined;
    case "replica":
      // For no replicas it answers at once: whether we may ask at all.
      if ((await ask(connection, "WAIT", "0", "0")) === undefined)
        throw new DurabilityRefused(
          "ACK_DURABILITY=replica: this server does not let us use WAIT: allow it (ACL: +wait), or set ACK_DURABILITY=redis",
        );
      return async (link) => Number(await link.call("WAIT", String(replicas), String(WAIT_TIMEOUT_MS))) >= replicas;
    case "aof":
      return syncToDisk(connection);
  }
}

async function syncToDisk(connection: Redis): Promise<GroupCommit | undefined> {
  // Nothing was written on this connection yet: it answers at once.
  if ((await ask(connection, "WAITAOF", "1", "0", "1")) !== undefined)
    return async (link) =>
      Number(((await link.call("WAITAOF", "1", "0", String(WAIT_TIMEOUT_MS))) as unknown[])[0]) >= 1;

  // Before Redis 7.2 only a server that syncs before each reply can promise it.
  for (const [name, wanted] of Object.entries({ appendonly: "yes", appendfsync: "always" })) {
    const setting = (await ask(connection, "CONFIG", "GET", name)) as unknown[] | undefined;
    if (setting === undefined)
      throw new DurabilityRefused(
        "ACK_DURABILITY=aof: this server has no WAITAOF for us and does not tell whether it runs with appendfsync always: " +
          "allow one of them (ACL: +waitaof, +config|get), or set ACK_DURABILITY to redis or replica",
      );
    if (setting[1] !== wanted)
      throw new DurabilityRefused(
        "ACK_DURABILITY=aof: this server has no WAITAOF (Redis 7.2), and does not run with appendonly yes and appendfsync always",
      );
  }
  return undefined;
}

/** The reply to a command that the server may not have, or not let us use: undefined then. Rejects with any other error. */
async function ask(connection: Redis, name: string, ...rest: string[]): Promise<unknown> {
  try {
    return await connection.call(name, ...rest);
  } catch (cause) {
    const reason = (cause as Error).message;
    // As Redis says it to WAITAOF.
    if (reason.includes("appendonly is disabled"))
      throw new DurabilityRefused("ACK_DURABILITY=aof: the server runs with appendonly no");
    if (reason.startsWith("NOPERM") || /unknown (command|subcommand)/i.test(reason)) return undefined;
    throw cause;
  }
}
