import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultySystem, Member, StationCredentials } from "../contract.ts";
import { LedgerFile } from "../fleet/ledger-file.ts";
import { startIdleBalancer } from "../odd-stations/idle-balancer.ts";
import { mebibytes } from "../odd-stations/kept-memory.ts";
import type { OddStation } from "../odd-stations/odd-station.ts";
import { command, mustConnect, originOf, severalAtATime, unless, withGateway } from "../odd-stations/odd-world.ts";
import { playTransaction } from "../odd-stations/play-transaction.ts";
import { startWays } from "../servers/ways.ts";

/** REST takes bodies of up to 1 MiB. */
const LARGE = "x".repeat(900 * 1_024);
const LARGE_CALL: [string, object] = ["DataTransfer", { vendorId: "com.example", messageId: "Large", data: LARGE }];
/** By then the kernels on both ends have taken what they take. */
const MOST_LARGE_CALLS = 20;
/** What is on its way to many at once is many times as large, however little waits for each: that is not what is looked for. */
const SENT_TO_TOGETHER = 6;
/** Bytes that may wait for one socket before a frame; and that one frame. */
const PER_SOCKET_BYTES = 64 * 1_024 + LARGE.length;
/** What the lane may hold of the commands' frames on their way and behind it (LANE_LIMITS of the gateway), twice 64 MiB. */
const MEMORY_ALLOWANCE_BYTES = 128 * 2 ** 20;
/** Far beyond what a healthy line and a busy machine make of an answer. */
const OTHERS_ANSWER_MS = 5_000;
/** Stations that neither read nor answer. */
const SILENT = 2;

/** Lines that are slow, read by nobody, or forgotten by what stands in between. */
export const LINE_FAULTS: readonly Fault[] = [
  {
    id: "B8",
    title: "2 s there and back, 1 kB/s: a whole transaction, and commands",
    topologies: ["single"],
    async run({ system, scale, watch }) {
      const count = scale.pick("B8.stations", 6, 50);
      const readings = scale.pick("B8.readings", 2, 20);
      const credentials = await system.generateStations(count, "1.6");
      const ways = await startWays();
      const path = join(system.folder, "ledger-b8.jsonl");
      const ledger = new LedgerFile(path);
      try {
        const way = await ways.open("slow", [(system.gateways[0] as Member).port]);
        await way.slow({ latencyMs: 1_000, bytesPerSecond: 1_000 });
        const stations = await severalAtATime(credentials, count, (one) =>
          mustConnect({ origin: originOf(way), credentials: one, ledger }),
        );
        const [played, sent] = await Promise.all([
          Promise.all(stations.map((station) => playTransaction(station, readings))),
          severalAtATime(credentials, count, (one) => command(system, one, { timeoutSeconds: 60 })),
        ]);
        const dropped = stations.filter(({ isOpen }) => !isOpen).length;
        stations.forEach((station) => station.vanish());
        return {
          scaled: `${count} stations, ${readings + 3} CALLs each`,
          breaches: [
            ...unless(!played.includes(false), "a transaction could not be played to its end"),
            ...unless(dropped === 0, `${dropped} connections were closed`),
            ...sent.flatMap(({ id, status }) => unless(status === "accepted", `command ${id} is ${status}`)),
          ],
          notes: ["packets are delayed and the rate is limited; none are lost, which a proxy of connections cannot do"],
        };
      } finally {
        ledger.close();
        watch([path]);
        await ways.close();
      }
    },
  },
  {
    id: "B9",
    title: "stations that never read, and are sent much",
    topologies: ["single"],
    async run({ system, fleet, scale, withCommands }) {
      const count = scale.pick("B9.stations", 6, 40);
      const paused = scale.pick("B9.paused", 50, 300);
      const gateway = system.gateways[0] as Member;
      const credentials = await system.generateStations(count + SILENT, "1.6");
      const stations = await severalAtATime(credentials, credentials.length, (one) =>
        mustConnect({ origin: originOf(gateway), credentials: one, answers: false }),
      );
      stations.forEach((station) => station.stopReading());
      await fleet.resetTimes();
      await fleet.stopReading(paused);
      const before = await residentBytes(gateway);
      let peak = before;
      const timer = setInterval(() => void residentBytes(gateway).then((now) => (peak = Math.max(peak, now))), 500);
      const silent = credentials.slice(count);
      const unanswered = Promise.all(silent.map((one) => command(system, one, { timeoutSeconds: 60 })));
      const taken = await withCommands(5, async () => {
        const counts = await severalAtATime(credentials.slice(0, count), SENT_TO_TOGETHER, (one, at) =>
          sendUntilClosed(system, one, stations[at] as OddStation),
        );
        await fleet.stopReading(0);
        return counts;
      });
      clearInterval(timer);
      // Silent ones are waited for in the long form: 30 s.
      if (scale.form === "short") stations.forEach((station) => station.vanish());
      const ends = await unanswered;
      const { answerMs } = await fleet.stats();
      stations.forEach((station) => station.vanish());
      const log = gateway.log();
      const letGo = credentials
        .slice(0, count)
        .filter(({ identity }) =>
          log.split("\n").some((line) => line.includes(`"${identity}"`) && line.includes('"code":1013')),
        );
      const grew = peak - before;
      return {
        scaled: `${count} stations, ${paused} of the fleet for a while`,
        breaches: [
          ...unless(letGo.length === count, `${count - letGo.length} were not let go with 1013`),
          ...unless(
            grew <= count * PER_SOCKET_BYTES + MEMORY_ALLOWANCE_BYTES,
            `the gateway grew by ${mebibytes(grew)} for ${count} sockets`,
          ),
          ...ends.flatMap(({ id, status }) =>
            unless(status === "timeout" || status === "unknown", `command ${id} to a silent station is ${status}`),
          ),
          ...unless(
            answerMs.p99 <= OTHERS_ANSWER_MS,
            `other stations waited ${Math.round(answerMs.p99)} ms for answers (p99)`,
          ),
        ],
        notes: [
          `let go after ${taken.join(", ")} commands of ${mebibytes(LARGE.length)}; the gateway grew by at most ${mebibytes(grew)}; others' answers p99 ${Math.round(answerMs.p99)} ms`,
        ],
      };
    },
  },
  {
    id: "B10",
    title: "idle behind a balancer that forgets idle connections",
    topologies: ["single"],
    async run({ system, scale }) {
      const count = scale.pick("B10.stations", 100, 1_000);
      const idleSeconds = scale.pick("B10.idleSeconds", 5, 60);
      const seconds = scale.pick("B10.seconds", 12, 600);
      const [other, , gateway] = system.gateways as [Member, Member, Member];
      const credentials = await system.generateStations(count + 2, "1.6");
      const idle = async (node: Member, those: readonly StationCredentials[]) => {
        const balancer = await startIdleBalancer(node.port, idleSeconds * 1_000);
        try {
          const stations = await severalAtATime(those, 20, (one) =>
            mustConnect({ origin: originOf(balancer), credentials: one }),
          );
          await sleep(seconds * 1_000);
          const open = stations.filter(({ isOpen }) => isOpen).length;
          stations.forEach((station) => station.vanish());
          return those.length - open;
        } finally {
          await balancer.close();
        }
      };
      const play = async () => {
        // Where the pings come too seldom the balancer must be seen to forget: else it proves nothing.
        const witnesses = idleSeconds < 25 ? credentials.slice(count) : [];
        const [drops, seen] = await Promise.all([idle(gateway, credentials.slice(0, count)), idle(other, witnesses)]);
        return {
          scaled: `${count} stations, ${idleSeconds} s for ${seconds} s`,
          breaches: [
            ...unless(drops === 0, `${drops} idle connections were dropped`),
            ...unless(seen === witnesses.length, "the balancer does not forget idle connections"),
          ],
        };
      };
      if (idleSeconds > 25) return play();
      return withGateway(gateway, { PING_INTERVAL: "2s", IDLE_TIMEOUT: "8s" }, play);
    },
  },
];

const residentBytes = async (member: Member) => (await member.metric("process_resident_memory_bytes")) ?? Number.NaN;

/** A station that answers without reading, so that one command follows the other. @returns after how many it was let go */
async function sendUntilClosed(
  system: FaultySystem,
  credentials: StationCredentials,
  station: OddStation,
): Promise<number> {
  for (let sent = 0; sent < MOST_LARGE_CALLS; sent++) {
    const { id, status } = await command(system, credentials, { timeoutSeconds: 1, call: LARGE_CALL });
    if (status === "not_connected") return sent;
    station.answer(id, { status: "Accepted" });
  }
  return MOST_LARGE_CALLS;
}
