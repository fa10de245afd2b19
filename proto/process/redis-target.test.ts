import { expect, test } from "vitest";
import { EnvironmentReader } from "./environment.ts";
import { parseNatMap, parseRedisTarget, readRedisTarget, withNatMap } from "./redis-target.ts";

test("REDIS_NAT_MAP names for each server where it is reached", () => {
  const natMap = parseNatMap("10.0.0.1:6379=proxy.example:7001, [::1]:6379=[fe80::2]:7002");
  expect(natMap).toEqual({
    "10.0.0.1:6379": { host: "proxy.example", port: 7_001 },
    "::1:6379": { host: "fe80::2", port: 7_002 },
  });
  expect(withNatMap(parseRedisTarget("redis://a:1,redis://b:2"), natMap)).toMatchObject({ kind: "cluster", natMap });
  expect(withNatMap(parseRedisTarget("redis+sentinel://a:1/main"), natMap)).toMatchObject({ natMap });
  expect(withNatMap(parseRedisTarget("redis://a:1"), natMap)).toEqual({ kind: "single", url: "redis://a:1" });
});

test.each(["", "a:1", "a:1=b", "a=b:1", "a:1=b:2=c:3", "a:1=b:70000", "a:1=b:0", "a:1=b:2,"])(
  "REDIS_NAT_MAP %j is refused",
  (text) => {
    expect(() => parseNatMap(text)).toThrow("named-host:port=reachable-host:port");
  },
);

test("REDIS_NAT_MAP beside a single server is a mistake that says what to do; beside several it is used", () => {
  const read = (REDIS_URL: string) => {
    const reader = new EnvironmentReader({ REDIS_URL, REDIS_NAT_MAP: "10.0.0.1:6379=a:1" }, () => "");
    return { target: readRedisTarget(reader), mistakes: reader.mistakes };
  };
  expect(read("redis://a:1").mistakes).toEqual([expect.stringMatching(/^REDIS_NAT_MAP: .*single server.*unset this$/)]);
  expect(read("redis://a:1,redis://b:2")).toEqual({
    mistakes: [],
    target: expect.objectContaining({ natMap: { "10.0.0.1:6379": { host: "a", port: 1 } } }),
  });
});
