import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultySystem, Member, StationCredentials, Way } from "../contract.ts";
import type { OddStation } from "../odd-stations/odd-station.ts";
import {
  command,
  isOnline,
  mustConnect,
  originOf,
  ownersOf,
  severalAtATime,
  typical,
  unless,
  withGateway,
} from "../odd-stations/odd-world.ts";
import { startWays } from "../servers/ways.ts";

/** Presence is looked at this often; and what two busy cores take to hear a timer. */
const LOOK_MS = 250;
const SLACK_SECONDS = 5;
const AT_ONCE_MS = 1_000;
const TOGETHER = 20;
/** A command that was put on a dead socket may be called nothing that says that it was carried out. */
const HONEST = new Set(["timeout", "unknown", "not_connected"]);

/** Connections whose other end is gone, and nobody has been told. */
export const HALF_OPEN_FAULTS: readonly Fault[] = [
  {
    id: "B2",
    title: "the network swallows everything: half-open connections are found dead",
    topologies: ["single"],
    async run({ system, fleet, scale, until }) {
      const count = scale.pick("B2.stations", 10, 200);
      const idleSeconds = scale.pick("B2.idleSeconds", 8, 75);
      const gateway = system.gateways[2] as Member;
      const credentials = await system.generateStations(count, "1.6");
      const play = () =>
        throughWay(gateway, async (way) => {
          const stations = await connectAll(credentials, way.port);
          await until("they are online", async () => (await online(system, credentials)) === count, 20_000);
          await way.blackhole();
          const cutAtMs = performance.now();
          const sent = Promise.all(credentials.slice(0, 5).map((one) => command(system, one, { timeoutSeconds: 60 })));
          const deadAfterSeconds: number[] = [];
          for (let waiting = credentials; waiting.length > 0; await sleep(LOOK_MS)) {
            const owners = await ownersOf(system, waiting);
            const seconds = (performance.now() - cutAtMs) / 1_000;
            waiting = waiting.filter((_, at) => owners[at]?.gateway !== undefined);
            while (deadAfterSeconds.length < count - waiting.length) deadAfterSeconds.push(seconds);
            if (seconds > idleSeconds + 30) break;
          }
          const breaches = unless(deadAfterSeconds.length === count, "some half-open connections are still held");
          const found = typical(deadAfterSeconds);
          breaches.push(
            ...unless(!(found.max > idleSeconds + SLACK_SECONDS), `found dead only after ${found.max.toFixed(1)} s`),
          );
          for (const { id, status } of await sent)
            breaches.push(...unless(HONEST.has(status), `a command to a dead connection is ${status} (${id})`));
          const lateAtMs = performance.now();
          const late = await command(system, credentials[0] as StationCredentials, { timeoutSeconds: 30 });
          const lateMs = performance.now() - lateAtMs;
          breaches.push(
            ...unless(
              late.status === "not_connected" && lateMs < 5_000,
              `later: ${late.status} after ${Math.round(lateMs)} ms`,
            ),
          );
          const accuracy = await presenceAccuracy(system, credentials, fleet.stations.slice(0, 100));
          breaches.push(...unless(accuracy >= 0.999, `presence is right for ${(accuracy * 100).toFixed(2)} % only`));
          stations.forEach((station) => station.vanish());
          return {
            scaled: `${count} stations, IDLE_TIMEOUT=${idleSeconds}s`,
            breaches,
            notes: [
              `found dead after ${found.median.toFixed(1)} s, at most ${found.max.toFixed(1)} s; a command then fails within ${Math.round(lateMs)} ms`,
            ],
          };
        });
      if (idleSeconds >= 75) return play();
      return withGateway(gateway, { PING_INTERVAL: "2s", IDLE_TIMEOUT: `${idleSeconds}s` }, play);
    },
  },
  {
    id: "B3",
    title: "a station reconnects while its old connection is half-open",
    topologies: ["single"],
    async run({ system, scale, until }) {
      const count = scale.pick("B3.stations", 60, 1_000);
      const credentials = await system.generateStations(count, "1.6");
      const [first, second] = system.gateways as [Member, Member];
      return throughWay(first, async (way) => {
        const old = await connectAll(credentials, way.port);
        const before = await ownersOf(system, credentials);
        await way.blackhole();
        const tookMs: number[] = [];
        const now: OddStation[] = [];
        // What the old device still says goes out when the network passes it again.
        const stale = old.map((station) => station.ask("Heartbeat", {}));
        for (const [at, one] of credentials.entries()) {
          const startedAtMs = performance.now();
          now.push(await mustConnect({ origin: originOf(at % 2 === 0 ? first : second), credentials: one }));
          tookMs.push(performance.now() - startedAtMs);
        }
        const after = await ownersOf(system, credentials);
        const alive = await Promise.all(now.map((station) => station.ask("Heartbeat", {})));
        await way.heal();
        const fenced = await until("the old ones are closed", () => old.every(({ isOpen }) => !isOpen), 15_000).then(
          () => true,
          () => false,
        );
        const heard = (await Promise.race([Promise.all(stale), sleep(1_000, [])])).filter(
          (answer) => answer !== undefined,
        );
        const took = typical(tookMs);
        const rising = after.every(({ epoch }, at) => epoch > (before[at]?.epoch ?? 0));
        const breaches = [
          ...unless(took.max <= AT_ONCE_MS, `let in only after ${Math.round(took.max)} ms`),
          ...unless(rising, "an epoch did not grow"),
          ...unless(!alive.includes(undefined), "a new connection was not answered"),
          ...unless(fenced, `${old.filter(({ isOpen }) => isOpen).length} old connections live on`),
          ...unless(heard.length === 0, `${heard.length} CALLs of fenced connections were answered`),
          ...(await wrongOwners(system, now, (at) => (at % 2 === 0 ? first : second))),
        ];
        now.forEach((station) => station.vanish());
        return {
          scaled: `${count} stations`,
          breaches,
          notes: [`let in within ${Math.round(took.median)} ms, at most ${Math.round(took.max)} ms`],
        };
      });
    },
  },
  {
    id: "B4",
    title: "the close of the old connection is heard after the new one is in",
    topologies: ["single"],
    async run({ system, scale }) {
      const rounds = scale.pick("B4.rounds", 1, 10);
      const perRound = 100;
      const [first, second] = system.gateways as [Member, Member];
      const breaches: string[] = [];
      for (let round = 0; round < rounds; round++) {
        const credentials = await system.generateStations(perRound, "1.6");
        await throughWay(first, async (way) => {
          const old = await connectAll(credentials, way.port);
          // The first gateway neither hears that it was superseded nor can it say that its connections have ended.
          await system.redisWay(first.name).blackhole();
          const now = await connectAll(credentials, second.port);
          old.forEach((station) => station.vanish());
          await sleep(1_000);
          await system.redisWay(first.name).heal();
          await sleep(3_000);
          const lost = now.filter(({ isOpen }) => !isOpen).length;
          breaches.push(
            ...unless(lost === 0, `${lost} new connections were closed`),
            ...(await wrongOwners(system, now, () => second)),
          );
          const reached = await severalAtATime(credentials.slice(0, 10), 10, (one) => command(system, one));
          breaches.push(
            ...reached.flatMap(({ id, status }) => unless(status === "accepted", `command ${id} is ${status}`)),
            ...unless((await online(system, credentials.slice(0, 20))) === 20, "some look offline"),
          );
          now.forEach((station) => station.vanish());
        });
      }
      return { scaled: `${rounds * perRound} stations`, breaches };
    },
  },
];

/** With a way of its own to a gateway, that is gone afterwards. */
async function throughWay<T>(gateway: Member, during: (way: Way) => Promise<T>): Promise<T> {
  const ways = await startWays();
  try {
    return await during(await ways.open("stations", [gateway.port]));
  } finally {
    await ways.close();
  }
}

const connectAll = (credentials: readonly StationCredentials[], port: number): Promise<OddStation[]> =>
  severalAtATime(credentials, TOGETHER, (one) => mustConnect({ origin: originOf({ port }), credentials: one }));

async function online(system: FaultySystem, stations: readonly StationCredentials[]): Promise<number> {
  const seen = await severalAtATime(stations, TOGETHER, ({ identity }) => isOnline(system, identity));
  return seen.filter((is) => is === true).length;
}

/** The share of stations of which REST tells rightly whether they are there. */
async function presenceAccuracy(
  system: FaultySystem,
  gone: readonly StationCredentials[],
  there: readonly StationCredentials[],
): Promise<number> {
  const wrong = (await online(system, gone)) + there.length - (await online(system, there));
  return 1 - wrong / (gone.length + there.length);
}

async function wrongOwners(
  system: FaultySystem,
  stations: readonly OddStation[],
  where: (at: number) => Member,
): Promise<string[]> {
  const owners = await ownersOf(system, stations);
  const wrong = owners.filter(({ gateway }, at) => gateway !== where(at).name);
  return unless(wrong.length === 0, `${wrong.length} stations are not owned by the gateway that holds them`);
}
