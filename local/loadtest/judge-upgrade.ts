import type { CommandTrail, StationLedger } from "./k6-lines.ts";
import type { UpgradeRecord, UpgradeStep } from "./upgrade-release.ts";

/** What comes before what (docs/upgrading.md). */
const ORDER = [
  ["migrate", "intake"],
  ["intake", "jobs"],
  ["intake", "decisions"],
  ["jobs", "api"],
  ["decisions", "api"],
  ["api", "gateway"],
] as const;

/**
 * What a handshake may take beyond the back-off that a station has drawn for itself: on a machine where a dozen processes
 * start beside the whole fleet.
 */
const HANDSHAKE_MS = 1_000;
const EXAMPLES = 3;

/**
 * Whether anybody noticed the upgrade: the order was kept, every process that went ended by itself within its grace period,
 * none was ever red, nothing of the former release is left; each station was back when its own back-off was over; and every
 * command was accepted, however often a client had to ask by what is documented. Lost messages are the ledger's matter.
 *
 * @returns what is wrong, in words
 */
export function judgeUpgrade(
  { steps, redLivez, leftOfFormer }: Pick<UpgradeRecord, "steps" | "redLivez" | "leftOfFormer">,
  {
    ledgers,
    trails,
    commands,
  }: { ledgers: readonly StationLedger[]; trails: readonly CommandTrail[]; commands: readonly string[] },
): string[] {
  const late = ledgers.filter(({ absence }) => absence.mostOverMs > HANDSHAKE_MS);
  const failed = trails.filter(({ trail }) => trail.at(-1) !== "accepted");
  return [
    ...ORDER.filter(([first, second]) => !(beginOf(steps, first) < beginOf(steps, second))).map(
      ([first, second]) => `${second} of the new release did not begin after ${first}`,
    ),
    ...steps.flatMap(badEnds),
    ...some(redLivez),
    ...leftOfFormer,
    ...(late.length === 0
      ? []
      : [
          `${late.length} stations were without a connection for more than their back-off and ${HANDSHAKE_MS} ms: ${late
            .slice(0, EXAMPLES)
            .map(({ station, absence }) => `${station} by ${absence.mostOverMs} ms`)
            .join(", ")}`,
        ]),
    ...some(failed.map(({ trail, seconds }) => `a command failed after ${seconds.toFixed(1)} s: ${trail.join(", ")}`)),
    ...(commands.length === 0 ? ["no command was accepted: nothing is known of commands"] : []),
  ];
}

/** When the first process of a component began; NaN, which is before and after nothing, when there was none. */
function beginOf(steps: readonly UpgradeStep[], component: string): number {
  const begins = steps.filter((step) => step.component === component).map(({ atSeconds }) => atSeconds);
  return begins.length === 0 ? Number.NaN : Math.min(...begins);
}

function badEnds({ what, drainedSeconds, graceSeconds, exitCode }: UpgradeStep): string[] {
  if (drainedSeconds === undefined) return [];
  if (exitCode === null) return [`the one before ${what} was not done within its ${graceSeconds} s and was killed`];
  return exitCode === 0 ? [] : [`the one before ${what} ended with ${exitCode}`];
}

function some(all: readonly string[]): string[] {
  const more = all.length - EXAMPLES;
  return more > 0 ? [...all.slice(0, EXAMPLES), `… and ${more} more such findings`] : [...all];
}
