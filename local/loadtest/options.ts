import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { SCENARIOS, type ScenarioName } from "./scenarios.ts";

export interface LoadtestOptions {
  scenario: ScenarioName;
  stations: number;
  /** How many of each hundred speak which version. */
  mix: Partial<Record<OcppVersion, number>>;
  durationSeconds: number;
  connectSeconds: number | undefined;
  /** Messages a second; or per cent of the highest rate, which is looked for first; undefined: the fleet's natural one. */
  rate: { perSecond: number } | { percent: number } | undefined;
  commandsPerSecond: number;
  steps: readonly number[];
  stepSeconds: number;
  /** undefined: as many as the system has by itself. */
  gateways: number | undefined;
  intakes: number | undefined;
  /** Values of the Helm chart, where the system is what that renders. */
  values: readonly string[];
  virtualUsers: number | undefined;
  /** Addresses that stations connect from, as k6 takes them. */
  localIps: string | undefined;
  /** Tells which statements Postgres has spent its time with. */
  statements: boolean;
  out: string;
  /** Where the report goes as well, for the repository. */
  publish: boolean;
}

export const USAGE = `Usage: npm run loadtest -- SCENARIO [options]
  ${Object.entries(SCENARIOS)
    .map(([name, { what }]) => `${name.padEnd(16)} ${what}`)
    .join("\n  ")}
Options, with defaults that depend on the scenario:
  --stations N         charge points
  --mix 1.6=60,2.1=40  per cent of each version
  --duration 5m        of the part that is measured: 90s, 5m, 1h
  --connect 30s        time that the fleet takes to connect
  --rate N             messages a second of the whole fleet; natural: as many as such a fleet sends;
                       80%: of the highest rate, which a ramp looks for first
  --steps 500,1000     messages a second at the steps of a ramp
  --step 30s           how long each of them lasts
  --commands N         commands a second over REST
  --gateways N         gateway processes: 2, or in an upgrade as many as the chart has
  --intakes N          intake processes: 1, or in an upgrade as many as the chart has
  --set NAME=VALUE     of an upgrade: a value of the Helm chart, such as gateway.drain.commandSeconds=5; may be repeated
  --virtual-users N    k6's: stations are dealt out to them
  --local-ips RANGE    addresses that stations connect from, such as 127.0.0.2-127.0.0.5
  --out FOLDER         where report, summary and logs go
  --statements         says which statements Postgres has spent its time with
  --publish            the report goes to loadtest/results as well`;

/** Reads the command line. Throws with what is wrong. */
export function readOptions(args: readonly string[], root: string): LoadtestOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      stations: { type: "string" },
      mix: { type: "string" },
      duration: { type: "string" },
      connect: { type: "string" },
      rate: { type: "string" },
      steps: { type: "string" },
      step: { type: "string" },
      commands: { type: "string" },
      gateways: { type: "string" },
      intakes: { type: "string" },
      set: { type: "string", multiple: true },
      "virtual-users": { type: "string" },
      "local-ips": { type: "string" },
      out: { type: "string" },
      publish: { type: "boolean" },
      statements: { type: "boolean" },
    },
  });
  const [name, ...rest] = positionals;
  const scenario = (Object.keys(SCENARIOS) as ScenarioName[]).find((known) => known === name);
  if (scenario === undefined || rest.length > 0) throw new Error(`want one scenario, not "${positionals.join(" ")}"`);
  const defaults = SCENARIOS[scenario];
  const rate = values.rate === undefined ? defaults.rate : rateOf(values.rate);
  if (rate !== undefined && "percent" in rate && scenario === "ramp") throw new Error("--rate: a ramp has --steps");
  return {
    scenario,
    stations: countOf("--stations", values.stations, defaults.stations),
    mix: values.mix === undefined ? defaults.mix : mixOf(values.mix),
    durationSeconds: secondsOf("--duration", values.duration, defaults.durationSeconds),
    connectSeconds: values.connect === undefined ? undefined : secondsOf("--connect", values.connect, 1),
    rate,
    commandsPerSecond: countOf("--commands", values.commands, defaults.commandsPerSecond),
    steps:
      values.steps === undefined ? defaults.steps : values.steps.split(",").map((step) => countOf("--steps", step, 1)),
    stepSeconds: secondsOf("--step", values.step, 30),
    gateways: values.gateways === undefined ? undefined : countOf("--gateways", values.gateways, 1),
    intakes: values.intakes === undefined ? undefined : countOf("--intakes", values.intakes, 1),
    values: valuesOf(values.set ?? [], scenario),
    virtualUsers:
      values["virtual-users"] === undefined ? undefined : countOf("--virtual-users", values["virtual-users"], 1),
    localIps: values["local-ips"],
    out: resolve(values.out ?? `${root}/.local/loadtest/${scenario}`),
    publish: values.publish === true,
    statements: values.statements === true,
  };
}

function countOf(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} ${text}: want a whole number above 0`);
  return value;
}

function valuesOf(settings: readonly string[], scenario: ScenarioName): readonly string[] {
  if (settings.length > 0 && scenario !== "rolling-upgrade")
    throw new Error("--set: only an upgrade has values of the Helm chart");
  for (const setting of settings) if (!/^[\w.]+=./.test(setting)) throw new Error(`--set ${setting}: want NAME=VALUE`);
  return settings;
}

const UNITS: Record<string, number> = { "": 1, s: 1, m: 60, h: 3_600 };

function secondsOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text) ?? [];
  const seconds = Number(amount) * (UNITS[unit] ?? 0);
  if (!(seconds > 0)) throw new Error(`${name} ${text}: want 90s, 5m or 1h`);
  return seconds;
}

function rateOf(text: string): LoadtestOptions["rate"] {
  if (text === "natural") return undefined;
  const [, amount = "", percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const value = Number(amount);
  if (!(value > 0)) throw new Error(`--rate ${text}: want messages a second, 80% or natural`);
  return percent === "%" ? { percent: value } : { perSecond: value };
}

function mixOf(text: string): LoadtestOptions["mix"] {
  const mix: LoadtestOptions["mix"] = {};
  for (const part of text.split(",")) {
    const [name, share] = part.split("=");
    const version = OCPP_VERSIONS.find((known) => known === name);
    if (version === undefined || !(Number(share) >= 0))
      throw new Error(`--mix ${part}: want version=per cent, of ${OCPP_VERSIONS.join(", ")}`);
    mix[version] = Number(share);
  }
  const sum = Object.values(mix).reduce((total, share) => total + share, 0);
  if (Math.abs(sum - 100) > 0.01) throw new Error(`--mix ${text}: the parts make ${sum} per cent, not 100`);
  return mix;
}
