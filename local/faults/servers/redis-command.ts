import { Redis } from "ioredis";

const CONNECT_TIMEOUT_MS = 1_000;
const COMMAND_TIMEOUT_MS = 3_000;

/**
 * One command on a connection of its own: nothing is repeated, redirected, or remembered between two of them.
 *
 * @throws what Redis answers as an error, and when it does not answer within 3 s
 */
export async function redisCommand(port: number, ...args: string[]): Promise<unknown> {
  const connection = new Redis({
    host: "127.0.0.1",
    port,
    lazyConnect: true,
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    enableReadyCheck: false, // one that still loads says so itself
  });
  connection.on("error", () => {}); // the command tells
  try {
    await connection.connect();
    const [name = "", ...rest] = args;
    return await connection.call(name, ...rest);
  } finally {
    connection.disconnect();
  }
}

/** The fields of a section of INFO, or of CLUSTER INFO. Undefined when nobody answers. */
export async function redisFields(port: number, ...args: string[]): Promise<Map<string, string> | undefined> {
  let text: string;
  try {
    text = String(await redisCommand(port, ...args));
  } catch {
    return undefined;
  }
  return new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(":");
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : [];
    }),
  );
}
