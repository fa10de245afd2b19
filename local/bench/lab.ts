import { join } from "node:path";
import { randomBytes } from "node:crypto";
import type { BenchContext } from "./contract.ts";
import { shareCores, type Cores } from "./cores.ts";
import { buildLoadGenerator, createLoadGenerator, type LoadGenerator } from "./load-generator.ts";
import { startPinned } from "./pinned-process.ts";
import type { Contender } from "./measure-in-turn.ts";

/** What a row about gateways is measured with. */
export interface Lab {
  cores: Cores;
  generator: LoadGenerator;
  warmMs: number;
  measureMs: number;
}

export async function openLab({ short }: BenchContext): Promise<Lab> {
  const cores = shareCores();
  return {
    cores,
    generator: createLoadGenerator(await buildLoadGenerator(), cores.others),
    // As long as everything at five repetitions stays within twenty minutes.
    warmMs: 500,
    measureMs: short ? 1_000 : 1_500,
  };
}

/** Which references there are: files of references/. */
export type ReferenceName = "uws-constant" | "uws-validated" | "uws-handshake" | "ocpp-rpc-strict";

export type Reference = Contender & { stop(): Promise<void> };

/** Starts a reference on the server's CPU, on the Node and the uWebSockets.js that the gateway runs on. */
export async function startReference(
  name: ReferenceName,
  { cores, folder, args = [] }: { cores: Cores; folder: string; args?: readonly string[] },
): Promise<Reference> {
  const server = await startPinned({
    file: join("local", "bench", "references", `${name}.ts`),
    args,
    cores: cores.server,
    logFile: join(folder, `${name}-${randomBytes(4).toString("hex")}.log`),
    isReady: (line) => "port" in line,
  });
  return {
    name,
    target: { ports: [Number(server.ready["port"])], path: "/ocpp/" },
    watch: { server: [server.pid] },
    // Its answers all carry the same id.
    check: name !== "uws-constant",
    stop: () => server.stop(),
  };
}
