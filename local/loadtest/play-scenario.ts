import { setTimeout as sleep } from "node:timers/promises";
import { writeFileSync } from "node:fs";
import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { LoadtestOptions } from "./options.ts";
import type { Around } from "./restart-gateways.ts";
import { type K6Result, runK6 } from "./run-k6.ts";
import { ID_TAG, type LoadedSystem } from "./start-system.ts";
import { type Sample, watchSystem } from "./watch-system.ts";

export interface Played {
  result: K6Result;
  samples: Sample[];
  /** Nothing of it was received before. */
  since: Date;
  /** Beyond k6's limits. */
  breaches: string[];
}

/** Registers the stations of the mix and writes them down for k6. @returns how many there are of each version */
export async function registerStations(
  system: LoadedSystem,
  { stations, mix }: Pick<LoadtestOptions, "stations" | "mix">,
  file: string,
): Promise<Partial<Record<OcppVersion, number>>> {
  const counts: Partial<Record<OcppVersion, number>> = {};
  const lines: string[] = [];
  const versions = OCPP_VERSIONS.filter((version) => (mix[version] ?? 0) > 0);
  for (const [at, version] of versions.entries()) {
    // The last one takes what rounding has left.
    const share =
      at === versions.length - 1 ? stations - lines.length : Math.round((stations * (mix[version] ?? 0)) / 100);
    if (share < 1) continue;
    counts[version] = share;
    lines.push(...(await system.generateStations(share, version)).map((line) => `${line},${version}`));
  }
  // Mixed, so that each virtual user and each moment of connecting has all of them.
  const mixed = lines.map((line) => ({ line, place: Math.random() })).toSorted((a, b) => a.place - b.place);
  writeFileSync(file, `charge_point_id,password,ocpp_version\n${mixed.map(({ line }) => line).join("\n")}\n`, {
    mode: 0o600,
  });
  return counts;
}

/**
 * Plays one scenario on the system and watches it. Resolves when k6 has ended; what waits in the lanes may still wait.
 *
 * @param run `meanwhile`: what is done to the system while the fleet plays; it says in words what went wrong
 */
export async function playScenario(
  system: LoadedSystem,
  options: LoadtestOptions & { rate: { perSecond: number } | undefined },
  run: {
    k6: string;
    stationsFile: string;
    folder: string;
    say(line: string): void;
    meanwhile?: ((around: Around) => Promise<string[]>) | undefined;
  },
): Promise<Played> {
  // A run before (the search for the highest rate) had the same stations and message ids: its last frames are in by then.
  await sleep(2_000);
  const since = new Date(Date.now() - 1_000);
  let k6Pid: number | undefined;
  const watch = watchSystem(system, () => k6Pid);
  const { connectSeconds, virtualUsers, localIps } = options;
  const playing = runK6({
    command: run.k6,
    scenario: options.scenario,
    args: localIps === undefined ? [] : [`--local-ips=${localIps}`],
    folder: run.folder,
    started: (pid) => (k6Pid = pid),
    env: {
      STATIONS_FILE: run.stationsFile,
      GATEWAYS: system.ocppUrls.join(","),
      API_URL: system.apiUrl,
      API_KEY: system.apiKey,
      ID_TAG,
      DURATION_SECONDS: String(options.durationSeconds),
      COMMANDS_PER_SECOND: String(options.commandsPerSecond),
      STEPS: options.steps.join(","),
      STEP_SECONDS: String(options.stepSeconds),
      // Empty: not set, whatever this process was started with.
      RATE: String(options.rate?.perSecond ?? ""),
      CONNECT_SECONDS: String(connectSeconds ?? ""),
      VIRTUAL_USERS: String(virtualUsers ?? ""),
    },
  });
  const breaches = (await run.meanwhile?.({ watch, options, ended: playing, say: run.say })) ?? [];
  const result = await playing;
  return { result, samples: await watch.stop(), since, breaches };
}
