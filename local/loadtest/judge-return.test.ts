import { expect, test } from "vitest";
import { awayOf } from "./judge-return.ts";
import type { StationLedger } from "./k6-lines.ts";

const ledger = (station: string, away: boolean): StationLedger => ({
  ...{ station, away, numbered: 0, unanswered: [], resent: 0, answered: {}, started: 0, ended: 0, heartbeatAtMs: 0 },
  readings: 0,
  absence: { times: 0, refused: 0, longestMs: 0, mostOverMs: 0 },
});
const reconnects = (count: number) => ({ ocpp_reconnects: { values: { count } } });

test("who has no connection at the end is counted, in any scenario", () => {
  const ledgers = [ledger("cp_1", false), ledger("cp_2", true)];
  expect(awayOf({ ledgers, metrics: {} }, { scenario: "rolling-restart", stations: 2 })).toEqual([
    "1 stations had no connection at the end: cp_2",
  ]);
  expect(awayOf({ ledgers: [ledger("cp_1", false)], metrics: {} }, { scenario: "steady", stations: 1 })).toEqual([]);
});

test("in a storm as many have to come back as there are", () => {
  const ledgers = [ledger("cp_1", false), ledger("cp_2", false)];
  expect(awayOf({ ledgers, metrics: reconnects(2) }, { scenario: "storm", stations: 2 })).toEqual([]);
  expect(awayOf({ ledgers, metrics: reconnects(1) }, { scenario: "storm", stations: 2 })).toEqual([
    "every connection was dropped, and only 1 of 2 came back",
  ]);
  expect(awayOf({ ledgers, metrics: {} }, { scenario: "storm", stations: 2 })).toHaveLength(1);
});
