import { expect, test } from "vitest";
import { laneIdOf, lane, stationOwner } from "./redis-keys.ts";
import { parseStationIdentity, type StationIdentity } from "./station-identity.ts";

test("[H8] two spellings are one station, and the spelling is kept for display", () => {
  expect(parseStationIdentity("CS001")).toEqual({ ok: true, value: { identity: "cs001", spelling: "CS001" } });
});

test.each(["", ".", "..", "a:b", "a/b", "a\\b", "a\u0000", "\ud800", "x".repeat(49)])(
  "[H7] %j is no identity",
  (text) => {
    expect(parseStationIdentity(text).ok).toBe(false);
  },
);

test("[C2] an identity with braces cannot leave its hash tag", () => {
  expect(stationOwner("a}{b" as StationIdentity)).toBe("ocpp:owner:{a%7D%7Bb}");
});

test("a lane's id comes back out of its key", () => {
  expect(laneIdOf(lane("gw-1.17"))).toBe("gw-1.17");
});
