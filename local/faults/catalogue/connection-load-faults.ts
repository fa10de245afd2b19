import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultySystem, Member, StationCredentials } from "../contract.ts";
import { LedgerFile } from "../fleet/ledger-file.ts";
import { COLLECTING, FORGOTTEN_MS, grown, keptBy, tellKept } from "../odd-stations/kept-memory.ts";
import { connectOdd, type OddStation } from "../odd-stations/odd-station.ts";
import {
  allIn,
  mustConnect,
  originOf,
  severalAtATime,
  typical,
  unless,
  withGateway,
} from "../odd-stations/odd-world.ts";
import { trickle, TRICKLES, type Trickle } from "../odd-stations/trickle.ts";

/** A connection may have 16 unanswered CALLs; with half of them its rate is not held up by the way there and back. */
const CALLS_AT_ONCE = 8;
const WARM_UP_CALLS = 300;
/** 10 s and a turn of the clock that looks, on a busy machine. */
const CUT_BY_MS = 13_000;
const GIVE_UP_MS = 30_000;
const PROBE_EVERY_MS = 300;
const PROBE_MS = 5_000;

/** Much on one connection, and connections that never become one. */
export const LOAD_FAULTS: readonly Fault[] = [
  {
    id: "B12",
    title: "very many messages on each of a few sockets",
    topologies: ["single"],
    async run({ system, fleet, scale, watch, until }) {
      const sockets = scale.pick("B12.sockets", 8, 4);
      const messages = scale.pick("B12.messages", 1_500, 100_000);
      const credentials = await system.generateStations(sockets, "1.6");
      const gateway = system.gateways[2] as Member;
      const path = join(system.folder, "ledger-b12.jsonl");
      const ledger = new LedgerFile(path);
      try {
        return await withGateway(gateway, COLLECTING, async () => {
          await until("the fleet is where it stays", () => allIn(fleet), 60_000);
          const stations = await severalAtATime(credentials, sockets, (one) =>
            mustConnect({ origin: originOf(gateway), credentials: one, ledger }),
          );
          await Promise.all(stations.map((station) => say(station, Math.max(messages / 10, WARM_UP_CALLS))));
          const before = await keptBy(gateway);
          const unanswered = await Promise.all(stations.map((station) => say(station, messages)));
          await sleep(FORGOTTEN_MS);
          const after = await keptBy(gateway);
          const closed = stations.filter(({ isOpen }) => !isOpen).length;
          stations.forEach((station) => station.vanish());
          return {
            scaled: `${messages} messages on each of ${sockets} sockets`,
            breaches: [
              ...grown(before, after),
              ...unless(closed === 0, `${closed} connections were closed`),
              ...unless(
                unanswered.every((count) => count === 0),
                `${unanswered.join(", ")} CALLs were not answered`,
              ),
            ],
            notes: [`${tellKept(before, after)}, behind a garbage collection each`],
          };
        });
      } finally {
        ledger.close();
        watch([path]);
      }
    },
  },
  {
    id: "D6",
    title: "slowloris: silence, headers that drip in, a TLS hello and no more",
    topologies: ["single"],
    async run({ system, fleet, scale }) {
      const count = scale.pick("D6.sockets", 500, 5_000);
      const probes = await system.generateStations(20, "1.6");
      await fleet.resetTimes();
      let over = false;
      const probing = probe(system, probes, () => over);
      const borneMs = await Promise.all(
        Array.from({ length: count }, (_, n) =>
          trickle(TRICKLES[n % TRICKLES.length] as Trickle, {
            port: (system.gateways[n % system.gateways.length] as Member).port,
            localAddress: `127.77.${Math.floor(n / 250) % 250}.${1 + (n % 250)}`,
            giveUpMs: GIVE_UP_MS,
          }),
        ),
      );
      over = true;
      const others = await probing;
      const { answerMs } = await fleet.stats();
      const borne = typical(borneMs);
      const served = typical(others.tookMs);
      return {
        scaled: `${count} sockets`,
        breaches: [
          ...unless(borne.max <= CUT_BY_MS, `some were borne with for ${(borne.max / 1_000).toFixed(1)} s`),
          ...unless(others.refused.length === 0, `others were refused: ${[...new Set(others.refused)].join(", ")}`),
          ...unless(served.max <= PROBE_MS, `another station waited ${Math.round(served.max)} ms`),
        ],
        notes: [
          `cut after ${(borne.median / 1_000).toFixed(1)} s, at most ${(borne.max / 1_000).toFixed(1)} s; meanwhile ${others.tookMs.length} others connected and were answered within ${Math.round(served.median)} ms, at most ${Math.round(served.max)} ms; answers of the fleet p99 ${Math.round(answerMs.p99)} ms`,
        ],
      };
    },
  },
];

/** Tells so many connector statuses, several at a time. @returns how many were not answered */
async function say(station: OddStation, count: number): Promise<number> {
  let said = 0;
  let unanswered = 0;
  // Each with a time of its own, none of them in the future.
  const firstAtMs = Date.now() - count;
  const line = async () => {
    while (said < count) {
      const timestamp = new Date(firstAtMs + (said += 1)).toISOString();
      const status = said % 2 === 0 ? "Available" : "Preparing";
      const payload = { connectorId: 1, errorCode: "NoError", status, timestamp };
      const answer = await station.ask("StatusNotification", payload, `status:0:1:${status}:${timestamp}`);
      if (answer === undefined) unanswered += 1;
      if (!station.isOpen) return;
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, line));
  return unanswered + count - said;
}

/** Connects stations as long as it is not over, each of which says a Heartbeat. */
async function probe(
  system: FaultySystem,
  credentials: readonly StationCredentials[],
  isOver: () => boolean,
): Promise<{ tookMs: number[]; refused: string[] }> {
  const tookMs: number[] = [];
  const refused: string[] = [];
  for (let n = 0; !isOver(); n++, await sleep(PROBE_EVERY_MS)) {
    const startedAtMs = performance.now();
    const attempt = await connectOdd({
      origin: originOf(system.gateways[n % system.gateways.length] as Member),
      credentials: credentials[n % credentials.length] as StationCredentials,
    });
    if (!attempt.ok) {
      refused.push(attempt.error);
      continue;
    }
    await attempt.value.ask("Heartbeat", {});
    tookMs.push(performance.now() - startedAtMs);
    attempt.value.vanish();
  }
  return { tookMs, refused };
}
