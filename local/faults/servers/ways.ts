import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Way, Ways } from "../contract.ts";
import type { ProxyAnswer, ProxyOrder, ProxyRequest } from "./proxy-messages.ts";

type Ask = (order: ProxyOrder) => Promise<number>;

/** The parts of a way that is several in truth: what `groupWays` needs to order something of all of them at once. */
const parts = new WeakMap<Way, { ask: Ask; names: readonly string[] }>();

/**
 * Starts the proxy: a process of its own that ends with this one. What it models is the connection, not the wire: bytes
 * that one side's kernel has taken already may still arrive, and the kernel's own keep-alive probes are answered while a way
 * swallows.
 */
export async function startWays(): Promise<Ways & { pid: number }> {
  const file = fileURLToPath(new URL("./proxy-process.ts", import.meta.url));
  const child = fork(file, [], { execArgv: [], detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const waiting = new Map<number, { resolve(value: number): void; reject(error: Error): void }>();
  let lastId = 0;
  child.on("message", (message) => {
    const answer = message as ProxyAnswer;
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ("error" in answer) asked?.reject(new Error(answer.error));
    else asked?.resolve(answer.value);
  });
  const ended = new Promise<void>((resolve) =>
    child.once("exit", () => {
      for (const { reject } of waiting.values()) reject(new Error("the proxy process has ended"));
      resolve();
    }),
  );
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  const ask: Ask = (order) =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, { resolve, reject });
      child.send({ id, order } satisfies ProxyRequest, (error) => error && reject(error));
    });
  return {
    pid: child.pid as number,
    async open(name, targets) {
      const port = await ask({ op: "open", name, targets });
      return wayOf(port, ask, [name]);
    },
    async close() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/**
 * Several ways as one: each is broken when it is. `cutAfterRequest` counts over all of them. Its port is the first one's.
 *
 * @throws when they are not of one proxy process
 */
export function groupWays(ways: readonly Way[]): Way {
  const members = ways.map((way) => parts.get(way));
  const [first] = members;
  const port = ways[0]?.port;
  if (first === undefined || port === undefined || members.some((member) => member?.ask !== first.ask))
    throw new Error("only ways of the same proxy can be taken together");
  return wayOf(
    port,
    first.ask,
    members.flatMap((member) => member?.names ?? []),
  );
}

function wayOf(port: number, ask: Ask, names: readonly string[]): Way {
  const order = async (asked: ProxyOrder) => void (await ask(asked));
  const way: Way = {
    port,
    cut: () => order({ op: "cut", names }),
    blackhole: () => order({ op: "hold", names }),
    refuse: () => order({ op: "refuse", names }),
    slow: ({ latencyMs, bytesPerSecond }) => order({ op: "slow", names, latencyMs, bytesPerSecond }),
    cutAfterRequest: (matching, count) => order({ op: "strike", names, matching, count }),
    strikes: () => ask({ op: "strikes", names }),
    heal: () => order({ op: "heal", names }),
    retarget: (targets) => order({ op: "retarget", names, targets }),
  };
  parts.set(way, { ask, names });
  return way;
}
