import { readFileSync } from "node:fs";
import { createServer } from "node:net";

/** Where the kernel begins to take ports for outgoing connections, by default (Linux; elsewhere it is higher). */
const USUAL_OUTGOING = 32_768;
/** Below are the ports that well-known servers use. */
const LOWEST = 15_000;
/** Fewer than this are too few to choose from among other test runs. */
const ENOUGH = 1_000;

/** Given to somebody in this process already: free until it is listened on. */
const given = new Set<number>();

/**
 * A TCP port that was free a moment ago, and that no outgoing connection is given: a server may be started on it later, or
 * again, without meeting EADDRINUSE for that reason. While this process lives nobody else gets the same from here: not this
 * process a second time, and on Linux no other process of the machine.
 */
export async function freePort(): Promise<number> {
  const end = firstOutgoingPort();
  for (let tries = 0; tries < 100; tries += 1) {
    const port = LOWEST + Math.floor(Math.random() * (end - LOWEST));
    if (given.has(port)) continue;
    given.add(port);
    if ((await isFree(port)) && (await isReserved(port))) return port;
  }
  throw new Error(`no free port found between ${LOWEST} and ${end}`);
}

/** Where the kernel begins, as far as it says so. One that leaves nothing below is met with the usual range. */
function firstOutgoingPort(): number {
  let text: string;
  try {
    text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  } catch {
    return USUAL_OUTGOING;
  }
  const first = Number.parseInt(text, 10);
  return first >= LOWEST + ENOUGH ? first : USUAL_OUTGOING;
}

/**
 * Reserves a port among the processes of this machine, until this one ends: a name in Linux's abstract namespace of sockets
 * has one owner, and the kernel gives it back even after SIGKILL. False if another process has it.
 */
async function isReserved(port: number): Promise<boolean> {
  if (process.platform !== "linux") return true;
  return new Promise((resolve) => {
    const server = createServer().unref();
    server.once("error", () => resolve(false));
    server.listen(`\0dynamo-csms-port-${port}`, () => resolve(true));
  });
}

/** Whether a server can listen on this port, on all addresses as our processes do. */
export async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
