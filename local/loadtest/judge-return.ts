import type { StationAbsence } from "./k6-lines.ts";
import type { K6Result } from "./run-k6.ts";
import type { LoadtestOptions } from "./options.ts";

const EXAMPLES = 3;

/**
 * Who was not there when the fleet had done its work; in a storm also whether as many came back as were dropped. What is
 * measured of those who came back says nothing of those who did not. @returns in words; empty: all are there
 */
export function awayOf(
  { ledgers, metrics }: Pick<K6Result, "ledgers" | "metrics">,
  { scenario, stations }: Pick<LoadtestOptions, "scenario" | "stations">,
): string[] {
  const away = ledgers.filter((ledger) => ledger.away).map(({ station }) => station);
  const some = away.slice(0, EXAMPLES).join(", ");
  const returns = metrics["ocpp_reconnects"]?.values["count"] ?? 0;
  return [
    ...(away.length > 0 ? [`${away.length} stations had no connection at the end: ${some}`] : []),
    ...(scenario === "storm" && returns < stations
      ? [`every connection was dropped, and only ${returns} of ${stations} came back`]
      : []),
  ];
}

/** Of all stations, between two connections of theirs; in ms. */
export interface Absences {
  longestMs: number;
  /** The most that one took beyond the back-off that its station had drawn for it. */
  mostOverMs: number;
  /** The most that one station had. */
  mostTimes: number;
}

export function absencesOf(ledgers: K6Result["ledgers"]): Absences {
  const most = (of: (absence: StationAbsence) => number) => Math.max(0, ...ledgers.map(({ absence }) => of(absence)));
  return {
    longestMs: most(({ longestMs }) => longestMs),
    mostOverMs: most(({ mostOverMs }) => mostOverMs),
    mostTimes: most(({ times }) => times),
  };
}
