import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** Action → case → what came of it, in the words of the suites. */
export type Outcomes = Record<string, Record<string, string>>;

/** `station`: CALLs of the station; `csms`: commands to it. */
export type Side = "station" | "csms";

const fileOf = (side: Side, version: OcppVersion) => join(import.meta.dirname, "golden", `${side}-${version}.json`);

/** What is expected, as it was reviewed; empty where there is no file yet. */
export function readGolden(side: Side, version: OcppVersion): Outcomes {
  const file = fileOf(side, version);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Outcomes) : {};
}

/** Writes what was observed as what is expected from now on: for a person to read before it is committed. */
export function writeGolden(side: Side, version: OcppVersion, outcomes: Outcomes): void {
  const file = fileOf(side, version);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(outcomes, null, 2)}\n`);
}

/** One line per case that came out otherwise than expected, is not expected, or did not run. */
export function differences(side: Side, version: OcppVersion, expected: Outcomes, observed: Outcomes): string[] {
  const actions = new Set([...Object.keys(expected), ...Object.keys(observed)]);
  return [...actions].flatMap((action) => {
    const names = new Set([...Object.keys(expected[action] ?? {}), ...Object.keys(observed[action] ?? {})]);
    return [...names].flatMap((name) => {
      const [wanted, came] = [expected[action]?.[name], observed[action]?.[name]];
      if (wanted === came) return [];
      const what = `${version} ${side === "station" ? "station → CSMS" : "CSMS → station"} ${action}, ${name}`;
      return [`${what}: expected ${wanted ?? "no such case"}, got ${came ?? "nothing: it did not run"}`];
    });
  });
}
