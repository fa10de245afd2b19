import { parseArgs } from "node:util";
import type { Scale, Topology } from "./contract.ts";

const TOPOLOGIES: readonly Topology[] = ["single", "cluster", "sentinel"];

export interface HarnessOptions {
  scale: Scale;
  /** Which topologies, in order. */
  on: readonly Topology[];
  /** Ids of faults; undefined: all that the form runs on the topology. */
  only: ReadonlySet<string> | undefined;
  stations: number;
  /** Messages a second of the fleet. */
  pace: number;
  /** Where the outcomes are written as JSON; undefined: nowhere. */
  json: string | undefined;
  /** Logs and ledgers stay there; undefined: a temporary folder that is deleted when nothing broke. */
  keep: string | undefined;
}

export const USAGE = `Usage: npm run test:faults -- [options]
  --long              counts and durations of a release instead of those of a check-in
  --on LIST           single, cluster, sentinel (all by default)
  --only LIST         ids of faults, such as A1,B3
  --stations N        how many simulated stations (1500; --long: 3000)
  --pace N            messages a second (250; --long: 600)
  --set NAME=VALUE    one count or duration, such as A1.kills=20; may be repeated
  --json FILE         writes the outcomes there
  --keep FOLDER       keeps logs and ledgers there`;

/** Reads the command line. Throws with what is wrong. */
export function readOptions(args: readonly string[]): HarnessOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      long: { type: "boolean" },
      on: { type: "string" },
      only: { type: "string" },
      stations: { type: "string" },
      pace: { type: "string" },
      set: { type: "string", multiple: true },
      json: { type: "string" },
      keep: { type: "string" },
    },
  });
  const form = values.long === true ? "long" : "short";
  const on = (values.on?.split(",") ?? TOPOLOGIES).map((name) => {
    const known = TOPOLOGIES.find((topology) => topology === name);
    if (known === undefined) throw new Error(`--on ${name}: want ${TOPOLOGIES.join(", ")}`);
    return known;
  });
  return {
    scale: scaleOf(form, settingsOf(values.set ?? [])),
    on,
    only: values.only === undefined ? undefined : new Set(values.only.split(",")),
    stations: countOf("--stations", values.stations, form === "short" ? 1_500 : 3_000),
    pace: countOf("--pace", values.pace, form === "short" ? 250 : 600),
    json: values.json,
    keep: values.keep,
  };
}

/** Names of `pick` that are set on the command line win. */
function scaleOf(form: Scale["form"], settings: ReadonlyMap<string, string>): Scale {
  return {
    form,
    pick(name, short, long) {
      const value = form === "short" ? short : long;
      const set = settings.get(name);
      if (set === undefined) return value;
      if (typeof value !== "number") throw new Error(`--set ${name}: it is no number`);
      return countOf(`--set ${name}`, set, 0) as typeof value;
    },
  };
}

function settingsOf(pairs: readonly string[]): Map<string, string> {
  return new Map(
    pairs.map((pair) => {
      const [name, value] = pair.split("=");
      if (!name || !value) throw new Error(`--set ${pair}: want NAME=VALUE`);
      return [name, value];
    }),
  );
}

function countOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name} ${text}: want a number`);
  return value;
}
