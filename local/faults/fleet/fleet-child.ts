import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FleetOrder, FleetReport, NumberedReport } from "./fleet-orders.ts";

const PROGRAM = fileURLToPath(new URL("fleet-process.ts", import.meta.url));
const CLOSE_DEADLINE_MS = 10_000;

/** A process of the fleet, seen from the one that started it. It ends when its channel to us does. */
export class FleetChild {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, { resolve: (report: FleetReport) => void; reject: (cause: Error) => void }>();
  #n = 0;
  #end: Error | undefined;

  constructor() {
    this.#child = fork(PROGRAM, { execArgv: ["--conditions=source"], stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", ({ n, report }: NumberedReport) => {
      this.#waiting.get(n)?.resolve(report);
      this.#waiting.delete(n);
    });
    this.#ended = new Promise((resolve) => {
      const over = (why: string) => {
        this.#end = new Error(`a process of the fleet ended: ${why}`);
        for (const { reject } of this.#waiting.values()) reject(this.#end);
        this.#waiting.clear();
        resolve();
      };
      this.#child.once("error", (cause) => over(cause.message));
      this.#child.once("exit", (code, signal) => over(signal ?? `exit code ${code}`));
    });
  }

  /** Resolves when the process has carried it out. Rejects when the process ends before. */
  order(order: FleetOrder): Promise<FleetReport> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const n = (this.#n += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(n, { resolve, reject });
      this.#child.send({ n, order }, (cause) => cause && reject(cause));
    });
  }

  /** Ends it, with its ledger written. Resolves when it is gone. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_DEADLINE_MS);
    await this.order({ do: "close" }).catch(() => {});
    await this.#ended;
    clearTimeout(timer);
  }
}
