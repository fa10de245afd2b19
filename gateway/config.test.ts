import { expect, test } from "vitest";
import { readConfig } from "./config.ts";

const COMPLETE = {
  REDIS_URL: "redis://localhost:6379",
  DECISIONS_URL: "localhost:7000",
  STATION_PEPPERS: `p1:${Buffer.alloc(32, 1).toString("base64")}`,
  SECRETS_KEY: Buffer.alloc(32, 2).toString("base64"),
};
const read = (env: Record<string, string | undefined>, files: Record<string, string> = {}) =>
  readConfig(env, {
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
      return text;
    },
    randomSuffix: () => "x1y2z3",
  });

test("the defaults need nothing but the addresses and the secrets", () => {
  const config = read(COMPLETE);
  expect(config).toMatchObject({
    listeners: [{ profile: 1, port: 9000 }],
    ocppPaths: ["/ocpp"],
    maxFrameBytes: 1_048_576,
    pingIntervalMs: 25_000,
    idleTimeoutMs: 75_000,
    ackDurability: "redis",
    authorizeOffline: "deny",
  });
  expect(Object.isFrozen(config)).toBe(true);
});

test("all mistakes are named at once", () => {
  const wrong = {
    GATEWAY_PORT: "70000",
    ACK_DURABILITY: "yes",
    ACK_REPLICAS: "2",
    PING_INTERVAL: "60s",
    SECRETS_KEY: "c2hvcnQ=",
    OCPP_PATHS: "ocpp",
    TRUSTED_PROXIES: "lb",
  };
  const complaint = (() => {
    try {
      return `accepted: ${read(wrong).nodeId}`;
    } catch (cause) {
      return (cause as Error).message;
    }
  })();
  for (const name of [
    "GATEWAY_PORT",
    "ACK_DURABILITY",
    "ACK_REPLICAS",
    "IDLE_TIMEOUT",
    "SECRETS_KEY",
    "OCPP_PATHS",
    "TRUSTED_PROXIES",
    "REDIS_URL",
    "DECISIONS_URL",
    "STATION_PEPPERS",
  ])
    expect(complaint).toContain(name);
  expect(complaint).not.toContain("c2hvcnQ=");
});

test("a secret may come from a file, and not from both", () => {
  const { SECRETS_KEY, ...rest } = COMPLETE;
  expect(read({ ...rest, SECRETS_KEY_FILE: "/run/key" }, { "/run/key": `${SECRETS_KEY}\n` }).secretsKey.length).toBe(
    32,
  );
  expect(() => read({ ...COMPLETE, SECRETS_KEY_FILE: "/run/key" }, { "/run/key": SECRETS_KEY })).toThrow("both set");
  expect(() => read({ ...rest, SECRETS_KEY_FILE: "/run/none" })).toThrow("ENOENT");
});

test("a process start has a node id of its own, whatever it is called", () => {
  expect(read({ ...COMPLETE, NODE_ID: "gateway-0" }).nodeId).toBe("gateway-0-x1y2z3");
});

test("REDIS_URL may name one server, a cluster or sentinels", () => {
  expect(read(COMPLETE).redis.kind).toBe("single");
  expect(read({ ...COMPLETE, REDIS_URL: "redis://a:1,redis://b:2" }).redis).toEqual({
    kind: "cluster",
    nodes: ["redis://a:1", "redis://b:2"],
  });
  expect(read({ ...COMPLETE, REDIS_URL: "redis+sentinel://me:p%40ss@a:1,b/main/2" }).redis).toEqual({
    kind: "sentinel",
    sentinels: [
      { host: "a", port: 1 },
      { host: "b", port: 26_379 },
    ],
    name: "main",
    username: "me",
    password: "p@ss",
    db: 2,
  });
  expect(() => read({ ...COMPLETE, REDIS_URL: "http://localhost" })).toThrow("REDIS_URL");
});
