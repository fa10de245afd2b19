import { setTimeout as sleep } from "node:timers/promises";
import type { Replacement } from "../upgrade/local-cluster.ts";
import type { Replica } from "../upgrade/replica.ts";
import { type Around, wholeFleet } from "./restart-gateways.ts";
import type { ReleasedSystem } from "./start-release.ts";

/** A pod of the new release that took its place, or the migration. Seconds. */
export interface UpgradeStep {
  what: string;
  component: string;
  /** From the beginning of the upgrade to that of its process. */
  atSeconds: number;
  /** Before that: for the schema, and for those that come before it. */
  waitedSeconds: number;
  /** From its process' beginning until it was ready; of the migration: until it was done. */
  readySeconds: number;
  /** For how long it had to be ready before the former one went. */
  provedSeconds: number | undefined;
  /** From the former one's SIGTERM to its end. */
  drainedSeconds: number | undefined;
  /** What the former one had for that, before SIGKILL. */
  graceSeconds: number | undefined;
  /** The former one's; null: it was killed. */
  exitCode: number | null | undefined;
}

export interface UpgradeRecord {
  version: { from: string; to: string };
  /** Values of the chart that were set, beyond where its servers are. */
  settings: readonly string[];
  seconds: number;
  /** In the order in which their processes began. */
  steps: UpgradeStep[];
  /** Answers of /livez other than 200, of any process, old or new. */
  redLivez: string[];
  livezAsked: number;
  /** What says at the end that something of the former release is still there. */
  leftOfFormer: string[];
}

/** The system as it is, under load, before anything happens to it. */
const BEFORE_MS = 5_000;
/** From the last pod's end to that of the run, at least. */
const LAST_RETURN_MS = 10_000;

/** Once the fleet is connected the system becomes the next release. @returns what is wrong with the run, in words */
export async function upgradeRelease(
  system: ReleasedSystem,
  record: UpgradeRecord,
  { watch, options, ended, say }: Around,
): Promise<string[]> {
  let over = false;
  const noted = ended.then(
    () => (over = true),
    () => (over = true),
  );
  await wholeFleet({ watch, options, isOver: () => over });
  await Promise.race([noted, sleep(BEFORE_MS)]);
  const beganMs = Date.now();
  const replaced: Replacement[] = [];
  await system.upgrade((replacement) => {
    replaced.push(replacement);
    const { what, readySeconds, drainedSeconds } = stepOf(replacement, beganMs);
    const gone = drainedSeconds === undefined ? "" : `, the former one drained in ${drainedSeconds.toFixed(1)} s`;
    say(`${what}: ready after ${readySeconds.toFixed(1)} s${gone}`);
  });
  record.seconds = secondsBetween(beganMs, Date.now());
  record.steps = counted(replaced.map((one) => stepOf(one, beganMs)).toSorted((a, b) => a.atSeconds - b.atSeconds));
  record.redLivez = system.pods.flatMap(({ redLivez }) => redLivez);
  record.livezAsked = system.pods.reduce((sum, { livezAsked }) => sum + livezAsked, 0);
  record.leftOfFormer = await leftOfFormer(system);
  if (over) return ["the run was over before the upgrade: --duration is too short"];
  await Promise.race([noted, sleep(LAST_RETURN_MS)]);
  return over ? ["the run was over before all could be back: --duration is too short"] : [];
}

/** What processes tell of themselves, and what operators are shown of the gateways. */
async function leftOfFormer({ pods, gatewayPods, nextVersion, cli }: ReleasedSystem): Promise<string[]> {
  const others = await Promise.all(
    pods
      .filter(({ hasEnded }) => !hasEnded)
      .map(async (pod) => {
        const [, version] = /^dynamo_build_info\{[^}]*version="([^"]*)"/m.exec((await pod.metrics()) ?? "") ?? [];
        return version === nextVersion ? [] : [`${pod.name} says that it is of ${version ?? "no version"}`];
      }),
  );
  const listed = (await cli("nodes", "list", "-o", "json"))
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { node_id: string; lives: boolean });
  const alive = listed.filter(({ lives }) => lives).map(({ node_id }) => node_id);
  // A node's id is its pod's name, and by what it differs from one of that name before.
  const isOf = (nodeId: string, name: string) => nodeId.startsWith(`${name}-`);
  return [
    ...others.flat(),
    ...alive
      .filter((nodeId) => !gatewayPods.some(({ name }) => isOf(nodeId, name)))
      .map((nodeId) => `nodes list still shows ${nodeId}`),
    ...gatewayPods
      .filter(({ name }) => !alive.some((nodeId) => isOf(nodeId, name)))
      .map(({ name }) => `nodes list does not show ${name}`),
  ];
}

function stepOf({ component, pod, minReadySeconds, former }: Replacement, beganMs: number): UpgradeStep {
  const { createdAtMs, beganAtMs = createdAtMs, readyAtMs, endedAtMs } = pod.life;
  return {
    what: pod.name.replace(/^dynamo-csms-/, ""),
    component,
    atSeconds: secondsBetween(beganMs, beganAtMs),
    waitedSeconds: secondsBetween(createdAtMs, beganAtMs),
    readySeconds: secondsBetween(beganAtMs, readyAtMs ?? endedAtMs ?? beganAtMs),
    provedSeconds: former === undefined ? undefined : minReadySeconds,
    drainedSeconds: former === undefined ? undefined : drainOf(former),
    graceSeconds: former === undefined ? undefined : former.graceMs / 1_000,
    exitCode: former?.life.exitCode,
  };
}

/** Pods' names say nothing to whoever reads of them later: the first of two, the second. */
function counted(steps: readonly UpgradeStep[]): UpgradeStep[] {
  const all = Map.groupBy(steps, ({ component }) => component);
  return steps.map((step) => {
    const alike = all.get(step.component) ?? [];
    const what = alike.length > 1 ? `${step.component} ${alike.indexOf(step) + 1} of ${alike.length}` : step.component;
    return { ...step, what };
  });
}

const drainOf = ({ life: { signalledAtMs, endedAtMs } }: Replica): number =>
  secondsBetween(signalledAtMs ?? 0, endedAtMs ?? 0);

const secondsBetween = (fromMs: number, toMs: number): number => (toMs - fromMs) / 1_000;
