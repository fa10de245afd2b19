import { setTimeout as sleep } from "node:timers/promises";
import type { LoadtestOptions } from "./options.ts";
import type { LoadedSystem } from "./start-system.ts";
import type { Sample } from "./watch-system.ts";

interface Around {
  watch: { samples: readonly Sample[] };
  options: Pick<LoadtestOptions, "stations">;
  /** Settles when the fleet has gone. */
  ended: Promise<unknown>;
  say(line: string): void;
}

const LOOK_MS = 500;
/** Between one gateway that is back and the next that goes. */
const PAUSE_MS = 5_000;
/** From the last gateway's return to the end of the run, at least. */
const LAST_RETURN_MS = 10_000;

/**
 * As a deployment does it: once the fleet is connected each gateway is told to stop, ends in its own order, is started again,
 * and the next one follows. @returns what is wrong, in words
 */
export async function restartGateways(system: LoadedSystem, { watch, options, ended, say }: Around): Promise<string[]> {
  let over = false;
  const noted = ended.then(
    () => (over = true),
    () => (over = true),
  );
  const wholeFleet = () => (watch.samples.at(-1)?.connections ?? 0) >= options.stations;
  while (!over && !wholeFleet()) await sleep(LOOK_MS);
  for (const gateway of system.gateways) {
    await Promise.race([noted, sleep(PAUSE_MS)]);
    if (over) return ["the run was over before every gateway was restarted: --duration is too short"];
    const beganMs = Date.now();
    await gateway.stop();
    const stoppedMs = Date.now();
    await gateway.start();
    say(`${gateway.name}: stopped in ${seconds(stoppedMs - beganMs)}, back ${seconds(Date.now() - stoppedMs)} later`);
  }
  // Who does not come back is counted at the end: all have had the time to.
  await Promise.race([noted, sleep(LAST_RETURN_MS)]);
  return over ? ["the run was over before all could be back: --duration is too short"] : [];
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
