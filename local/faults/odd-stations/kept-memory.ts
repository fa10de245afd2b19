import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gatewayNodeOptions } from "../../image-node-options.ts";
import type { Member } from "../contract.ts";

/** For `startWith`: the process collects its garbage when it is asked to (`keptBy`). */
export const COLLECTING = {
  NODE_OPTIONS: `${gatewayNodeOptions().NODE_OPTIONS} --import=${fileURLToPath(new URL("./collect-garbage.ts", import.meta.url))}`,
};

/** What a process keeps. */
export interface Kept {
  /** Behind a collection of the garbage. */
  heapBytes: number;
  residentBytes: number;
  /** File descriptors that are no station's connection. */
  descriptors: number;
  /** Timers, sockets and all else that keeps an event loop busy. */
  resources: number;
  connections: number;
}

const COLLECTIONS = 3;
/** For what a collection frees after it, and for sockets that are being closed. */
const REST_MS = 500;

/** A gateway keeps what it wrote into its lane for 10 s: by then that is gone. */
export const FORGOTTEN_MS = 11_000;

/** Measures a gateway that was started with `COLLECTING`. Its heap is the least of several looks: each look makes garbage itself. */
export async function keptBy(gateway: Member): Promise<Kept> {
  const metric = async (name: string) => (await gateway.metric(name)) ?? Number.NaN;
  const heaps: number[] = [];
  for (let round = 0; round < COLLECTIONS; round++) {
    process.kill(gateway.pid(), "SIGPWR");
    await sleep(REST_MS);
    heaps.push(await metric("nodejs_heap_size_used_bytes"));
  }
  const connections = await metric("ocpp_connections");
  return {
    connections,
    descriptors: (await metric("process_open_fds")) - connections,
    resources: await metric("nodejs_active_resources_total"),
    residentBytes: await metric("process_resident_memory_bytes"),
    heapBytes: Math.min(...heaps),
  };
}

/** As much as a heap may grow by what is kept on purpose and bounded: compiled code, counters, caches that fill. */
const HEAP_ALLOWANCE_BYTES = 4 * 2 ** 20;
const HEAP_GROWTH = 1.05;
/** The allocators keep pages that they do not need any more; a leak of each connection would show in the heap as well. */
const RESIDENT_ALLOWANCE_BYTES = 64 * 2 ** 20;
const RESIDENT_GROWTH = 1.1;
const HANDLES_ALLOWANCE = 10;

/** What grew more than it may between two measurements of the same state, in words. */
export function grown(before: Kept, after: Kept): string[] {
  const breaches: string[] = [];
  const compare = (what: string, was: number, is: number, most: number, show: (n: number) => string) => {
    if (!(is <= most)) breaches.push(`${what}: ${show(was)} before, ${show(is)} afterwards`);
  };
  const heapMost = Math.max(before.heapBytes * HEAP_GROWTH, before.heapBytes + HEAP_ALLOWANCE_BYTES);
  const residentMost = Math.max(
    before.residentBytes * RESIDENT_GROWTH,
    before.residentBytes + RESIDENT_ALLOWANCE_BYTES,
  );
  compare("heap", before.heapBytes, after.heapBytes, heapMost, mebibytes);
  compare("resident memory", before.residentBytes, after.residentBytes, residentMost, mebibytes);
  compare("descriptors", before.descriptors, after.descriptors, before.descriptors + HANDLES_ALLOWANCE, String);
  compare("timers and handles", before.resources, after.resources, before.resources + HANDLES_ALLOWANCE, String);
  return breaches;
}

export const tellKept = (before: Kept, after: Kept): string =>
  `heap ${mebibytes(before.heapBytes)} → ${mebibytes(after.heapBytes)}, resident ${mebibytes(before.residentBytes)} → ${mebibytes(after.residentBytes)}, descriptors ${before.descriptors} → ${after.descriptors}, timers and handles ${before.resources} → ${after.resources}, connections ${before.connections} → ${after.connections}`;

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
