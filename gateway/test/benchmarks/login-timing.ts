// Whether the time of a refused login tells anything about a station: known or not, how much of the password is right.
//   node --conditions=source gateway/test/benchmarks/login-timing.ts [samples per kind in process] [over the wire]
// In process it times the check itself, where a difference of nanoseconds shows; over the wire what a stranger can measure.
// Each pair of kinds gets Welch's t; the samples of all kinds are taken in random order.

import { randomBytes, randomInt } from "node:crypto";
import { digestPassword } from "@dynamo-csms/proto/station-password";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { startTestRedis } from "@dynamo-csms/local/test-servers";
import { admit, type UpgradeClaim } from "../../sockets/admission.ts";
import { basicAuth, handshake } from "../fake-station.ts";
import { startWorld } from "../world.ts";

const IN_PROCESS = Number(process.argv[2] ?? 100_000);
const OVER_THE_WIRE = Number(process.argv[3] ?? 10_000);
const AT_ONCE = 100;

type Kind = "unknown station" | "wrong password" | "right in its first half";
const KINDS: readonly Kind[] = ["unknown station", "wrong password", "right in its first half"];

/** The same work for every kind, and never the same password twice: what was just done shows in the time of what comes next. */
function passwordOf(kind: Kind, right: Buffer): Buffer {
  const other = randomBytes(right.length);
  const half = Buffer.concat([right.subarray(0, right.length / 2), randomBytes(right.length / 2)]);
  return Buffer.from(kind === "right in its first half" ? half : other);
}

/** Runs `each` for every kind as often as wanted, in random order, so many at once. */
async function sample(count: number, atOnce: number, each: (kind: Kind, n: number) => Promise<number>) {
  const order = KINDS.flatMap((kind) => Array.from({ length: count }, () => kind));
  for (let at = order.length - 1; at > 0; at--) {
    const other = randomInt(at + 1);
    [order[at], order[other]] = [order[other] as Kind, order[at] as Kind];
  }
  const times = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < order.length) {
        const n = next++;
        const kind = order[n] as Kind;
        times.get(kind)?.push(await each(kind, n));
      }
    }),
  );
  return times;
}

function moments(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, variance, count: values.length };
}

/** Two-sided, by the normal distribution: with thousands of samples Student's is the same (Abramowitz and Stegun 7.1.26). */
function pValue(t: number): number {
  const x = Math.abs(t) / Math.SQRT2;
  const k = 1 / (1 + 0.3275911 * x);
  const series = k * (0.254829592 + k * (-0.284496736 + k * (1.421413741 + k * (-1.453152027 + k * 1.061405429))));
  return Math.min(1, series * Math.exp(-x * x));
}

function report(title: string, unit: string, times: Map<Kind, number[]>): void {
  console.log(`\n${title}`);
  // The slowest hundredth is the machine's: pauses of the collector and of other programs.
  const kept = new Map(
    [...times].map(([kind, values]) => [kind, values.sort((a, b) => a - b).slice(0, Math.floor(values.length * 0.99))]),
  );
  for (const [kind, values] of kept) {
    const { mean, variance, count } = moments(values);
    console.log(`  ${kind.padEnd(28)} n=${count} mean=${mean.toFixed(3)} ${unit} sd=${Math.sqrt(variance).toFixed(3)}`);
  }
  for (const [at, one] of KINDS.entries()) {
    for (const other of KINDS.slice(at + 1)) {
      const [a, b] = [moments(kept.get(one) ?? []), moments(kept.get(other) ?? [])];
      const t = (a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count);
      console.log(
        `  ${one} / ${other}: ${(a.mean - b.mean).toFixed(3)} ${unit}, t=${t.toFixed(2)}, p=${pValue(t).toFixed(4)}`,
      );
    }
  }
}

async function inProcess(): Promise<void> {
  const pepper = randomBytes(32);
  const right = randomBytes(20);
  const record: StationRecord = {
    v: 1,
    rev: 1,
    orgId: "org_1",
    chargePointId: "cp_1",
    identitySpelling: "CS001",
    verifiers: [{ digest: digestPassword(right, pepper).toString("base64"), pepperId: "p1", encoding: "literal" }],
    ocppVersions: ["1.6"],
    securityProfile: 1,
    registration: "accepted",
    heartbeatIntervalSeconds: 300,
    retired: false,
  };
  const deps = {
    ocppPaths: ["/ocpp"],
    peppers: new Map([["p1", pepper]]),
    directory: {
      find: async (identity: string) =>
        identity === "cs001" ? ({ kind: "found", record } as const) : ({ kind: "unknown" } as const),
      findUnrecorded: async () => ({ kind: "unknown" }) as const,
    },
    failedLogins: { exhausted: () => false, take: () => true },
    guesses: { take: () => true, giveBack: () => undefined },
    now: () => new Date(),
  };
  const each = async (kind: Kind): Promise<number> => {
    const spelling = kind === "unknown station" ? "CS002" : "CS001";
    const claim: UpgradeClaim = {
      path: `/ocpp/${spelling}`,
      subprotocols: "ocpp1.6",
      authorization: basicAuth(spelling, passwordOf(kind, right)),
      remoteAddress: "192.0.2.1",
      listener: 1,
    };
    const startedAt = process.hrtime.bigint();
    await admit(claim, deps);
    return Number(process.hrtime.bigint() - startedAt) / 1_000;
  };
  await sample(5_000, 1, each);
  report(`the check itself, ${IN_PROCESS} each`, "µs", await sample(IN_PROCESS, 1, each));
}

async function overTheWire(): Promise<void> {
  const server = await startTestRedis();
  const world = await startWorld(server.url);
  try {
    const gateway = await world.gateway({ TRUSTED_PROXIES: "127.0.0.1", LOG_LEVEL: "info" });
    const known = await world.register({ spelling: "CS-known-000001" });
    const each = async (kind: Kind, n: number): Promise<number> => {
      const spelling = kind === "unknown station" ? "CS-never-000001" : known.spelling;
      // Another address each time: nobody is stopped for guessing.
      const address = `198.${18 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
      const headers = {
        "sec-websocket-protocol": "ocpp1.6",
        authorization: basicAuth(spelling, passwordOf(kind, known.password)),
        "x-forwarded-for": address,
      };
      const startedAt = performance.now();
      const { status } = await handshake(gateway.url, `/ocpp/${spelling}`, headers);
      if (status !== 401) throw new Error(`answered ${status}`);
      return performance.now() - startedAt;
    };
    await sample(200, AT_ONCE, each);
    report(
      `over the wire, ${OVER_THE_WIRE} each, ${AT_ONCE} at once`,
      "ms",
      await sample(OVER_THE_WIRE, AT_ONCE, each),
    );
  } finally {
    await world.close();
    await server.remove();
  }
}

await inProcess();
await overTheWire();
