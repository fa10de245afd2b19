import { describe, expect, test } from "vitest";
import { parseStationUrl } from "./station-url.ts";

const PREFIXES = ["/ocpp", "/ocpp/old", "/steve/websocket/CentralSystemService"];
const parse = (path: string) => parseStationUrl(path, PREFIXES);

describe("a station's URL", () => {
  test("[H7] has the identity behind the version, or without one", () => {
    expect(parse("/ocpp/1.6/cp_7h2k9q4m1x8d")).toEqual({
      ok: true,
      value: { identity: "cp_7h2k9q4m1x8d", spelling: "cp_7h2k9q4m1x8d", versionInPath: "1.6", notes: [] },
    });
    expect(parse("/ocpp/CS001")).toEqual({ ok: true, value: { identity: "cs001", spelling: "CS001", notes: [] } });
  });

  test("[H7] may end in a slash, and may repeat the identity in another case; both are noted", () => {
    expect(parse("/ocpp/2.0.1/CS001/cs001/")).toMatchObject({
      ok: true,
      value: { identity: "cs001", notes: ["trailing-slash", "repeated-identity"] },
    });
  });

  test("belongs to the longest prefix that fits", () => {
    expect(parse("/ocpp/old/CS001")).toMatchObject({ ok: true, value: { identity: "cs001" } });
    expect(parse("/steve/websocket/CentralSystemService/CS001")).toMatchObject({
      ok: true,
      value: { identity: "cs001" },
    });
  });

  test("may have the root as prefix", () => {
    expect(parseStationUrl("/CS001", [""])).toMatchObject({ ok: true, value: { identity: "cs001" } });
  });

  test.each(["/", "/ocpp", "/ocppx/CS001", "/other/CS001"])("%s is no endpoint", (path) => {
    expect(parse(path)).toEqual({ ok: false, error: { reason: "no-such-path" } });
  });

  test.each([
    ["/ocpp/RDAM%7C123", "rdam|123"],
    ["/ocpp/1.6/RDAM%20123", "rdam 123"],
    ["/ocpp/%E5%85%85", "充"],
    // Encoded twice stays encoded once.
    ["/ocpp/a%252Fb", "a%2fb"],
  ])("[H7] [C2] %s is percent-decoded once", (path, identity) => {
    expect(parse(path)).toMatchObject({ ok: true, value: { identity } });
  });

  test.each([
    ["/ocpp/", "empty"],
    ["/ocpp/1.6", "empty"],
    ["/ocpp/1.6/", "empty"],
    ["/ocpp/%2e%2e", "relative path"],
    ["/ocpp/%2e%2e%2fadmin", "slash"],
    ["/ocpp/a%2Fb", "slash"],
    ["/ocpp/a:b", "colon"],
    ["/ocpp/a%00b", "cannot be shown"],
    ["/ocpp/%FF", "percent-encoded"],
    ["/ocpp/%", "percent-encoded"],
    [`/ocpp/${"x".repeat(49)}`, "48"],
    ["/ocpp/1.6/CS001/CS002", "goes on"],
    ["/ocpp/1.6/CS001/CS001/CS001", "goes on"],
  ])("[H7] [C2] %s is refused: %s", (path, why) => {
    const parsed = parse(path);
    expect(parsed).toMatchObject({
      ok: false,
      error: { reason: "bad-identity", detail: expect.stringContaining(why) },
    });
  });
});
