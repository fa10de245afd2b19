import { setTimeout as sleep } from "node:timers/promises";
import type { LoadtestOptions } from "./options.ts";
import type { RestartableSystem } from "./start-system.ts";
import type { Sample } from "./watch-system.ts";

/** What is known to whoever does something to the system while a fleet plays. */
export interface Around {
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
export async function restartGateways(
  system: RestartableSystem,
  { watch, options, ended, say }: Around,
): Promise<string[]> {
  let over = false;
  const noted = ended.then(
    () => (over = true),
    () => (over = true),
  );
  await wholeFleet({ watch, options, isOver: () => over });
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

/** Resolves when every station is connected, or when the run is over. */
export async function wholeFleet({
  watch,
  options,
  isOver,
}: Pick<Around, "watch" | "options"> & { isOver(): boolean }): Promise<void> {
  while (!isOver() && (watch.samples.at(-1)?.connections ?? 0) < options.stations) await sleep(LOOK_MS);
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
