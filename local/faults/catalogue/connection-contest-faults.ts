import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultySystem, Member, StationCredentials } from "../contract.ts";
import { connectOdd, type OddStation } from "../odd-stations/odd-station.ts";
import { command, originOf, ownerOf, severalAtATime, typical, unless } from "../odd-stations/odd-world.ts";

const DECIDED_MS = 2_000;
const TOGETHER = 10;
/** ADR 0013. */
const TAKEOVERS_ALLOWED = 3;
const OWN_ADDRESSES = ["127.0.0.1", "127.99.0.2"] as const;

/** Several connections that all say they are the same station. */
export const CONTEST_FAULTS: readonly Fault[] = [
  {
    id: "B5",
    title: "the same identity on two gateways at the same moment",
    topologies: ["single", "cluster"],
    async run({ system, scale }) {
      const pairs = scale.pick("B5.pairs", 200, 1_000);
      const credentials = await system.generateStations(pairs, "1.6");
      const breaches: string[] = [];
      const decidedMs: number[] = [];
      await severalAtATime(credentials, TOGETHER, async (one, at) => {
        const { held, tookMs, wrong } = await contest(system, one, at);
        decidedMs.push(tookMs);
        breaches.push(...wrong);
        // One in ten: a command finds the right one of the two.
        if (held !== undefined && at % 10 === 0) {
          const { id, status } = await command(system, one);
          breaches.push(
            ...unless(status === "accepted" && held.commands.includes(id), `command ${id} to the owner is ${status}`),
          );
        }
        held?.vanish();
      });
      const took = typical(decidedMs);
      return {
        scaled: `${pairs} pairs`,
        breaches: some(breaches),
        notes: [`one owner within ${Math.round(took.median)} ms, at most ${Math.round(took.max)} ms`],
      };
    },
  },
  {
    id: "B6",
    title: "two devices with the same credentials take their station from each other",
    topologies: ["single"],
    async run({ system, scale, until }) {
      const seconds = scale.pick("B6.seconds", 12, 120);
      const [apart, together] = (await system.generateStations(2, "1.6")) as [StationCredentials, StationCredentials];
      const [elsewhere, sameAddress] = await Promise.all([
        flipFlop(system, apart, OWN_ADDRESSES, seconds),
        flipFlop(system, together, [OWN_ADDRESSES[0], OWN_ADDRESSES[0]], seconds),
      ]);
      const breaches: string[] = [];
      for (const [where, { opened, refused }] of [
        ["two addresses", elsewhere],
        ["one address", sameAddress],
      ] as const) {
        breaches.push(
          ...unless(opened - 1 <= TAKEOVERS_ALLOWED, `${opened - 1} takeovers from ${where}`),
          ...unless((refused["429"] ?? 0) > 0, `nobody from ${where} got 429: ${JSON.stringify(refused)}`),
        );
      }
      for (const { identity } of [apart, together])
        await until(
          "the security event is on record",
          async () => (await securityEvents(system, identity)) > 0,
          15_000,
        ).catch((cause: Error) => breaches.push(cause.message));
      return {
        scaled: `${seconds} s`,
        breaches,
        notes: [
          `takeovers: ${elsewhere.opened - 1} from two addresses, ${sameAddress.opened - 1} from one; refused: ${JSON.stringify(elsewhere.refused)}, ${JSON.stringify(sameAddress.refused)}`,
        ],
      };
    },
  },
];

/** Connects twice at the same moment. @returns whom the station belongs to in the end, and when that was clear */
async function contest(
  system: FaultySystem,
  credentials: StationCredentials,
  at: number,
): Promise<{ held: OddStation | undefined; tookMs: number; wrong: string[] }> {
  const nodes = [at, at + 1].map((n) => system.gateways[n % system.gateways.length] as Member);
  const attempts = await Promise.all(nodes.map((node) => connectOdd({ origin: originOf(node), credentials })));
  const sinceMs = performance.now();
  const stations = attempts.map((attempt) => (attempt.ok ? attempt.value : undefined));
  const open = () => stations.flatMap((station, n) => (station?.isOpen ? [n] : []));
  let owner = await ownerOf(system, credentials.identity);
  const isDecided = () => open().length === 1 && nodes[open()[0] as number]?.name === owner.gateway;
  while (!isDecided() && performance.now() - sinceMs < DECIDED_MS + 5_000) {
    await sleep(20);
    owner = await ownerOf(system, credentials.identity);
  }
  const tookMs = performance.now() - sinceMs;
  const [winner] = open();
  const refusals = attempts.flatMap((attempt) => (attempt.ok ? [] : [attempt.error]));
  const wrong = unless(
    isDecided() && tookMs <= DECIDED_MS,
    `${credentials.identity}: after ${Math.round(tookMs)} ms ${open().length} connections are open, and ${owner.gateway} owns it${refusals.length > 0 ? `; refused: ${refusals.join(", ")}` : ""}`,
  );
  return { held: winner === undefined ? undefined : stations[winner], tookMs, wrong };
}

/** Two devices, each of which connects again as soon as it is thrown out, and once a second when it is refused. */
async function flipFlop(
  system: FaultySystem,
  credentials: StationCredentials,
  addresses: readonly [string, string],
  seconds: number,
): Promise<{ opened: number; refused: Record<string, number> }> {
  const refused: Record<string, number> = {};
  let opened = 0;
  const endsAtMs = performance.now() + seconds * 1_000;
  const device = async (localAddress: string, node: Member) => {
    while (performance.now() < endsAtMs) {
      const attempt = await connectOdd({ origin: originOf(node), credentials, localAddress });
      if (attempt.ok) {
        opened += 1;
        await Promise.race([attempt.value.closed, sleep(Math.max(0, endsAtMs - performance.now()))]);
        attempt.value.vanish();
        await sleep(200);
      } else {
        refused[attempt.error] = (refused[attempt.error] ?? 0) + 1;
        await sleep(1_000);
      }
    }
  };
  const [first, second] = system.gateways as [Member, Member];
  await Promise.all([device(addresses[0], first), sleep(300).then(() => device(addresses[1], second))]);
  return { opened, refused };
}

async function securityEvents(system: FaultySystem, identity: string): Promise<number> {
  const [row] = await system.sql<{ n: string }>(
    `select count(*) as n from security_events e join stations s on s.id = e.station_id
     where s.charge_point_id = $1 and e.type = 'StationIdentityContested'`,
    [identity],
  );
  return Number(row?.n ?? 0);
}

const some = (breaches: readonly string[]): string[] =>
  breaches.length <= 5 ? [...breaches] : [...breaches.slice(0, 5), `and ${breaches.length - 5} more like these`];
