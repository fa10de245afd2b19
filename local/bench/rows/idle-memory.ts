import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { median } from "../arithmetic.ts";
import type { Bench, BenchContext, BenchRow } from "../contract.ts";
import { startGatewayWorld } from "../gateway-world.ts";
import { openLab, startReference, type Lab } from "../lab.ts";
import type { Target } from "../load-generator.ts";

/** What a connection costs in memory is the slope between so many: what grows once, such as young heap, has grown by FROM. */
const FROM = 4_000;
const PLAIN_TO = { long: 12_000, short: 8_000 };
const TLS_TO = { long: 8_000, short: 6_000 };
/** What connecting set in motion has come to rest by then. */
const SETTLE_MS = { long: 2_000, short: 1_000 };

/** The memory of a station that is connected and says nothing. */
export const idleMemory: Bench = {
  id: "idle-memory",
  title: "memory of an idle connection, plain and TLS",
  async run(context) {
    const lab = await openLab(context);
    return [
      await row(context, lab, { tls: false, atMost: 2.5, failsAbove: 12 }),
      await row(context, lab, { tls: true, atMost: 6, failsAbove: 30 }),
    ];
  },
};

async function row(
  context: BenchContext,
  lab: Lab,
  { tls, atMost, failsAbove }: { tls: boolean; atMost: number; failsAbove: number },
): Promise<BenchRow> {
  const to = (tls ? TLS_TO : PLAIN_TO)[context.short ? "short" : "long"];
  const [mine, bares]: [number[], number[]] = [[], []];
  for (let repetition = 1; repetition <= context.repetitions; repetition += 1) {
    bares.push(await bareSlope(context, lab, tls, to));
    mine.push(await gatewaySlope(context, lab, tls, to));
    context.report(
      `${repetition}/${context.repetitions} ${tls ? "TLS" : "plain"}: ours ${mine.at(-1)?.toFixed(2)} kB, bare ${bares.at(-1)?.toFixed(2)} kB`,
    );
  }
  return {
    what: `idle connection, ${tls ? "TLS" : "plain"}: RSS of the gateway for each`,
    figure: median(mine),
    unit: "kB",
    target: { atMost },
    fails: { above: failsAbove },
    behind: `from ${FROM} to ${to} connections; bare uWebSockets.js ${median(bares).toFixed(2)} kB`,
  };
}

async function gatewaySlope(context: BenchContext, lab: Lab, tls: boolean, to: number): Promise<number> {
  // A process of its own each time: memory that was used once is seldom given back.
  const world = await startGatewayWorld({
    ...context,
    ...lab,
    stations: to,
    ...(tls && { tls: await selfSigned(context) }),
  });
  try {
    return await slope({ context, lab, target: world.target(), tls, to, pid: world.gatewayPids[0] as number });
  } finally {
    await world.close();
  }
}

async function bareSlope(context: BenchContext, lab: Lab, tls: boolean, to: number): Promise<number> {
  const args = tls ? ["--tls", ...Object.values(await selfSigned(context))] : [];
  const bare = await startReference("uws-handshake", { ...context, ...lab, args });
  try {
    return await slope({ context, lab, target: bare.target, tls, to, pid: bare.watch.server[0] as number });
  } finally {
    await bare.stop();
  }
}

/** kB of physical memory for each connection between FROM and `to`. */
async function slope(measured: {
  context: BenchContext;
  lab: Lab;
  target: Target;
  tls: boolean;
  to: number;
  pid: number;
}): Promise<number> {
  const { context, lab, target, tls, to, pid } = measured;
  const settleMs = SETTLE_MS[context.short ? "short" : "long"];
  const connect = async (first: number, connections: number) => {
    const held = await lab.generator.hold({ ...target, connections, first, tls, watch: {}, settleMs: 0 });
    await sleep(settleMs);
    return { ...held, kB: residentKb(pid) };
  };
  const few = await connect(0, FROM);
  const many = await connect(FROM, to - FROM);
  await Promise.all([few.release(), many.release()]);
  return (many.kB - few.kB) / (to - FROM);
}

function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** A certificate for the length of a run, on a curve as stations have it; files. */
async function selfSigned({ folder }: BenchContext): Promise<{ certificate: string; key: string }> {
  const files = { certificate: join(folder, "certificate.pem"), key: join(folder, "key.pem") };
  await promisify(execFile)("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=localhost", "-out", files.certificate, "-keyout", files.key],
  ]);
  return files;
}
