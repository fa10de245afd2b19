import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Fleet, FleetStats, StationCredentials } from "../contract.ts";
import { FleetChild } from "./fleet-child.ts";
import type { FleetOrder, FleetReport } from "./fleet-orders.ts";
import type { Origin } from "./fleet-process-context.ts";
import { quantilesOf } from "./histogram.ts";
import { DEFAULT_SETTINGS, type FleetSettings } from "./settings.ts";

interface FleetStart {
  stations: readonly StationCredentials[];
  /** The gateways: ws://127.0.0.1:port, since the stations come from addresses of 127.0.0.0/8. */
  origins: readonly Origin[];
  processes: number;
  /** Made. Each process has a file of its own in it. */
  ledgerFolder: string;
  /** Every station charges with it. */
  idTag?: string;
  /** Over the defaults; `configure` changes them later. */
  settings?: Partial<FleetSettings>;
  /** The same choices for the same seed. */
  seed?: number;
}

const SETTLED_POLL_MS = 200;

/**
 * Starts the processes of a fleet; its stations are told to connect by `connect`. It dies with the process that starts it.
 * @throws when a process cannot be started; the fleet's methods reject when one has ended
 */
export async function startFleet(start: FleetStart): Promise<Fleet> {
  const { stations, origins, processes, ledgerFolder, idTag = "FLEET-TAG", seed = 1 } = start;
  mkdirSync(ledgerFolder, { recursive: true });
  const children = Array.from({ length: processes }, () => new FleetChild());
  const ledgers = children.map((_, at) => join(ledgerFolder, `ledger-${at}.jsonl`));
  const toEach = (order: (at: number) => FleetOrder): Promise<FleetReport[]> =>
    Promise.all(children.map((child, at) => child.order(order(at))));
  const toAll = (order: FleetOrder) => toEach(() => order);
  const beginnings = children.map((_, at) => ({
    // Neighbours have the same version: each process gets its part of each.
    stations: stations
      .map((credentials, index) => ({ index, credentials }))
      .filter(({ index }) => Math.floor(index / 2) % processes === at),
    origins,
    idTag,
    ledger: ledgers[at] as string,
    settings: { ...DEFAULT_SETTINGS, ...start.settings },
    seed,
    messageIdPrefix: randomBytes(8).toString("hex"),
  }));
  const shares = beginnings.map((beginning) => beginning.stations.length / stations.length);
  const close = async () => void (await Promise.all(children.map((child) => child.close())));
  try {
    await toEach((at) => ({ do: "begin", with: beginnings[at] as (typeof beginnings)[number] }));
  } catch (cause) {
    await close();
    throw cause;
  }

  return {
    stations,
    ledgers,
    stats: async () => statsOf(await toAll({ do: "report" })),
    resetTimes: async () => void (await toAll({ do: "resetTimes" })),
    pace: async (messagesPerSecond) =>
      void (await toEach((at) => ({ do: "pace", messagesPerSecond: messagesPerSecond * (shares[at] ?? 0) }))),
    connect: async (withinMs) => void (await toAll({ do: "connect", withinMs })),
    dropAll: async (withinMs) => void (await toAll({ do: "dropAll", withinMs })),
    stopReading: async (count) =>
      void (await toEach((at) => ({ do: "stopReading", count: partOf(count, at, processes) }))),
    configure: async (settings) => void (await toAll({ do: "configure", settings })),
    async settled(timeoutMs) {
      const deadlineMs = performance.now() + timeoutMs;
      for (;;) {
        const reports = await toAll({ do: "report" });
        if (reports.every((report) => report.settled === report.stations)) return true;
        if (performance.now() > deadlineMs) return false;
        await pause(SETTLED_POLL_MS);
      }
    },
    flush: async () => void (await toAll({ do: "flush" })),
    close,
  };
}

/** Whole numbers that make `count` together. */
const partOf = (count: number, at: number, parts: number): number =>
  Math.floor(((at + 1) * count) / parts) - Math.floor((at * count) / parts);

function statsOf(reports: readonly FleetReport[]): FleetStats {
  const sum = (of: (report: FleetReport) => number) => reports.reduce((total, report) => total + of(report), 0);
  const merged = (of: (report: FleetReport) => Record<string, number>) => {
    const counts: Record<string, number> = {};
    for (const report of reports)
      for (const [name, count] of Object.entries(of(report))) counts[name] = (counts[name] ?? 0) + count;
    return counts;
  };
  return {
    stations: sum((report) => report.stations),
    connected: sum((report) => report.connected),
    sent: sum((report) => report.sent),
    acknowledged: sum((report) => report.acknowledged),
    errors: sum((report) => report.errors),
    waiting: sum((report) => report.waiting),
    refusals: merged((report) => report.refusals),
    closes: merged((report) => report.closes),
    handshakeMs: quantilesOf(reports.map((report) => report.handshakeMs)),
    answerMs: quantilesOf(reports.map((report) => report.answerMs)),
    cpuMs: sum((report) => report.cpuMs),
    rssBytes: sum((report) => report.rssBytes),
  };
}
