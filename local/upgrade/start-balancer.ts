import { fork } from "node:child_process";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import type { Listener } from "./endpoints.ts";

export interface Balancer {
  /** Resolves when new connections go where these say. */
  follow(listeners: readonly Listener[]): Promise<void>;
  close(): Promise<void>;
}

/** Starts the process that hands connections to Services on to pods. */
export async function startBalancer(): Promise<Balancer> {
  const file = join(FOLDERS.root, "local/processes/service-balancer.ts");
  const child = fork(file, [], { execArgv: [], detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
  let lastId = 0;
  child.on("message", (message) => {
    const { id, error } = message as { id: number; error?: string };
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve();
    else asked?.reject(new Error(error));
  });
  const ended = new Promise<void>((resolve) =>
    child.once("exit", () => {
      for (const { reject } of waiting.values()) reject(new Error("the balancer has ended"));
      resolve();
    }),
  );
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  return {
    follow: (listeners) =>
      new Promise((resolve, reject) => {
        const id = ++lastId;
        waiting.set(id, { resolve, reject });
        child.send({ id, listeners }, (error) => error && reject(error));
      }),
    async close() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
