import { SharedArray } from "k6/data";
import type { LoadProfile } from "./load-profile.ts";

export type Version = "1.6" | "2.0.1" | "2.1";

/** A charge point that is registered, with its password. */
export interface Unit {
  identity: string;
  password: string;
  version: Version;
}

/** What a run is given by its environment; README.md explains each. */
export interface Settings {
  units: readonly Unit[];
  /** How many of each version. */
  fleet: Record<Version, number>;
  /** ws:// or wss:// origins of the gateways, with the prefix of their URLs. */
  gateways: readonly string[];
  apiUrl: string;
  apiKey: string;
  /** A token that may have any number of sessions. */
  idTag: string;
  profile: LoadProfile;
  /** Messages a second of the whole fleet; undefined: as fast as such a fleet is. */
  rate: number | undefined;
  durationSeconds: number;
  /** How long the fleet takes to connect. */
  connectSeconds: number;
  /** A station that lost its connection comes back within so many seconds, when it is let in. */
  reconnectSeconds: number;
  virtualUsers: number;
  /** Messages a second at the steps of a ramp, and how long each of them lasts. */
  steps: readonly number[];
  stepSeconds: number;
  commandsPerSecond: number;
  summaryFile: string;
}

const units = new SharedArray<Unit>("units", () => readUnits(open(required("STATIONS_FILE"))));

/** Reads the environment of the run. Throws with what is missing. */
export function readSettings(): Settings {
  const fleet: Settings["fleet"] = { "1.6": 0, "2.0.1": 0, "2.1": 0 };
  for (let at = 0; at < units.length; at++) fleet[(units[at] as Unit).version] += 1;
  return {
    units,
    fleet,
    gateways: required("GATEWAYS").split(","),
    apiUrl: __ENV["API_URL"] ?? "",
    apiKey: __ENV["API_KEY"] ?? "",
    idTag: __ENV["ID_TAG"] ?? "LOADTEST",
    profile: JSON.parse(open(import.meta.resolve("../config/fleet.json"))) as LoadProfile,
    rate: __ENV["RATE"] === undefined || __ENV["RATE"] === "" ? undefined : positive("RATE", 0),
    durationSeconds: positive("DURATION_SECONDS", 60),
    connectSeconds: positive("CONNECT_SECONDS", Math.max(5, units.length / 200)),
    reconnectSeconds: positive("RECONNECT_SECONDS", 1),
    virtualUsers: positive("VIRTUAL_USERS", Math.max(2, Math.ceil(units.length / 500))),
    steps: (__ENV["STEPS"] ?? "500,1000,1500,2000").split(",").map(Number),
    stepSeconds: positive("STEP_SECONDS", 30),
    commandsPerSecond: positive("COMMANDS_PER_SECOND", 20),
    summaryFile: __ENV["SUMMARY_FILE"] ?? "summary.json",
  };
}

/** `charge_point_id,password[,ocpp_version]` lines behind a heading, as the command line writes them. */
function readUnits(csv: string): Unit[] {
  const [heading, ...lines] = csv.trim().split("\n");
  if (heading?.startsWith("charge_point_id,password") !== true)
    throw new Error(`STATIONS_FILE begins with ${heading}, not with charge_point_id,password`);
  return lines.map((line) => {
    const [identity = "", password = "", version = __ENV["OCPP_VERSION"] ?? "1.6"] = line.trim().split(",");
    return { identity, password, version: version as Version };
  });
}

function required(name: string): string {
  const value = __ENV[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set: README.md says how a run is started`);
  return value;
}

function positive(name: string, fallback: number): number {
  const text = __ENV[name];
  const value = text === undefined || text === "" ? fallback : Number(text);
  if (!(value > 0)) throw new Error(`${name}=${text}: want a number above 0`);
  return value;
}
