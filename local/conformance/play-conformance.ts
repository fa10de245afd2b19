import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { eventually } from "../e2e/eventually.ts";
import { rest } from "../e2e/rest-client.ts";
import { playCommands } from "./command-suite.ts";
import { differences, readGolden, writeGolden, type Outcomes, type Side } from "./golden.ts";
import { playStation, type ReadFlags } from "./station-suite.ts";
import type { StationCredentials } from "./wire-station.ts";

export const CONFORMANCE_VERSIONS = ["1.6", "2.0.1", "2.1"] as const satisfies readonly OcppVersion[];

/** A running product: real processes, with a registered and accepted station of each version. */
export interface Target {
  /** ws:// origin of a gateway node. */
  origin: string;
  apiUrl: string;
  apiKey: string;
  stations: Record<OcppVersion, StationCredentials>;
}

export interface Result {
  cases: number;
  passed: number;
  /** One line each; more than there are failed cases where a frame is wrong apart from its case. */
  failures: string[];
}

/**
 * Plays the whole suite against a running product, the versions side by side.
 * @param update writes what was observed into the golden files instead of comparing it with them
 */
export async function playConformance(target: Target, { update = false } = {}): Promise<Result> {
  const results = await Promise.all(CONFORMANCE_VERSIONS.map((version) => playVersion(target, version, update)));
  return results.reduce((all, one) => ({
    cases: all.cases + one.cases,
    passed: all.passed + one.passed,
    failures: [...all.failures, ...one.failures],
  }));
}

async function playVersion(target: Target, version: OcppVersion, update: boolean): Promise<Result> {
  const station = target.stations[version];
  const result: Result = { cases: 0, passed: 0, failures: [] };
  const judge = (side: Side, { outcomes, complaints }: { outcomes: Outcomes; complaints: string[] }) => {
    if (update) writeGolden(side, version, outcomes);
    const different = differences(side, version, readGolden(side, version), outcomes);
    const cases = countCases(outcomes);
    result.cases += cases;
    result.passed += Math.max(0, cases - different.length);
    result.failures.push(...different, ...complaints);
  };
  judge("station", await playStation(version, { origin: target.origin, station, readFlags: readFlagsOf(target) }));
  judge("csms", await playCommands(version, { ...target, station }));
  return result;
}

const countCases = (outcomes: Outcomes) =>
  Object.values(outcomes).reduce((sum, cases) => sum + Object.keys(cases).length, 0);

/** Reads the flags in the station's message log, once the last of the messages is there: they are filed in order. */
function readFlagsOf({ apiUrl, apiKey }: Target): ReadFlags {
  return async (identity, messageIds) => {
    const last = messageIds.at(-1);
    const flags = new Map<string, boolean>();
    await eventually("the last CALL is in the message log", async () => {
      for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
        const url = `${apiUrl}/api/v1/charge-points/${identity}/messages?limit=200${cursor === undefined ? "" : `&cursor=${cursor}`}`;
        const { status, body } = await rest("GET", url, apiKey);
        if (status !== 200) throw new Error(`GET ${url}: ${status} ${JSON.stringify(body)}`);
        for (const message of body["messages"] as { message_id: string; breaks_schema: boolean }[])
          flags.set(message.message_id, message.breaks_schema);
        if (last === undefined || !flags.has(last)) return last === undefined;
        cursor = (body["next_cursor"] as string | null) ?? undefined;
      }
      return true;
    });
    return flags;
  };
}
