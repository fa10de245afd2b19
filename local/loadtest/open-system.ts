import type { LoadtestOptions } from "./options.ts";
import { type Around, restartGateways } from "./restart-gateways.ts";
import { startRelease } from "./start-release.ts";
import { type LoadedSystem, startSystem } from "./start-system.ts";
import { upgradeRelease, type UpgradeRecord } from "./upgrade-release.ts";

export interface OpenedSystem {
  system: LoadedSystem;
  /** What the scenario does to it while the fleet plays; it says in words what went wrong. */
  meanwhile: ((around: Around) => Promise<string[]>) | undefined;
  /** How an upgrade went, once it has; undefined in other scenarios. */
  upgrade: UpgradeRecord | undefined;
}

/** Starts the system that a scenario wants, and waits until it is ready. Throws with the reason when something does not start. */
export async function openSystem(wanted: LoadtestOptions, say: (line: string) => void): Promise<OpenedSystem> {
  if (wanted.scenario === "rolling-upgrade") {
    const system = await startRelease(wanted, say);
    const upgrade: UpgradeRecord = {
      version: { from: system.version, to: system.nextVersion },
      settings: system.settings,
      seconds: 0,
      steps: [],
      redLivez: [],
      livezAsked: 0,
      leftOfFormer: [],
    };
    return { system, upgrade, meanwhile: (around) => upgradeRelease(system, upgrade, around) };
  }
  const { out: folder, gateways = 2, intakes = 1, statements } = wanted;
  const system = await startSystem({ folder, gateways, intakes, statements });
  return {
    system,
    upgrade: undefined,
    meanwhile: wanted.scenario === "rolling-restart" ? (around) => restartGateways(system, around) : undefined,
  };
}
