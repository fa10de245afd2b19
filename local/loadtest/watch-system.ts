import { type Usage, usageOf } from "./process-usage.ts";
import type { LoadedSystem } from "./start-system.ts";

/** One look at the system. */
export interface Sample {
  atMs: number;
  /** By process: the gateways, the control plane's, `redis`, `postgres` with all of its own, `k6`. */
  usage: Record<string, Usage>;
  connections: number;
  /** Entries in the lanes that are not applied; undefined: it could not be asked. */
  entriesBehind: number | undefined;
  /** Age of the oldest frame that is not applied, as the intake tells it. */
  lagSeconds: number | undefined;
}

const PERIOD_MS = 2_000;

/** Looks at the system every two seconds until it is stopped. */
export function watchSystem(system: LoadedSystem, k6Pid: () => number | undefined) {
  const samples: Sample[] = [];
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      const nextAtMs = Date.now() + PERIOD_MS;
      samples.push(await look(system, k6Pid()));
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, nextAtMs - Date.now())));
    }
  })();
  return {
    samples,
    async stop(): Promise<Sample[]> {
      stopped = true;
      await watching;
      return samples;
    },
  };
}

async function look(system: LoadedSystem, k6Pid: number | undefined): Promise<Sample> {
  const pids: [string, number, boolean][] = [
    ...system.members.map((member): [string, number, boolean] => [member.name, member.pid(), false]),
    ["redis", system.redisPid, false],
    ["postgres", system.postgresPid, true],
    ...(k6Pid === undefined ? [] : [["k6", k6Pid, false] as [string, number, boolean]]),
  ];
  const usage: Record<string, Usage> = {};
  for (const [name, pid, withChildren] of pids) {
    const used = pid === 0 ? undefined : usageOf(pid, withChildren);
    if (used !== undefined) usage[name] = used;
  }
  const atMs = Date.now();
  const [connections, lags, entriesBehind] = await Promise.all([
    Promise.all(system.gateways.map((gateway) => gateway.metric("ocpp_connections"))),
    Promise.all(
      system.members.filter(({ kind }) => kind === "intake").map((intake) => intake.metric("intake_lag_seconds")),
    ),
    system.entriesBehind(false).catch(() => undefined),
  ]);
  const known = lags.filter((lag) => lag !== undefined);
  return {
    atMs,
    usage,
    connections: connections.reduce<number>((sum, count) => sum + (count ?? 0), 0),
    entriesBehind,
    lagSeconds: known.length === 0 ? undefined : Math.max(...known),
  };
}
