import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { lane, LANES } from "@dynamo-csms/proto/redis-keys";
import { Redis } from "ioredis";
import { FOLDERS } from "../folders.ts";
import { gatewayNodeOptions } from "../image-node-options.ts";
import { redisProgram } from "../redis-binary.ts";
import { startRedis } from "../redis-server.ts";
import type { Cores } from "./cores.ts";
import type { Target } from "./load-generator.ts";
import type { Contender } from "./measure-in-turn.ts";
import { startPinned, type PinnedProcess } from "./pinned-process.ts";
import { madeUpStations, type RegisteredStation, registerStations } from "./register-stations.ts";
import { until } from "../faults/until.ts";

/** Gateways with a Redis of their own and stations that are registered and accepted. */
export interface GatewayWorld {
  target(version?: "1.6" | "2.0.1"): Target;
  /** As one of those that are measured in turn. */
  contender(name: string, version?: "1.6" | "2.0.1"): Contender;
  gatewayPids: readonly number[];
  redisPid: number;
  redisPort: number;
  redisUrl: string;
  redis: Redis;
  /** Waits until every connection's end is dealt with, and empties the lanes as the intake does behind what it has read. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

/** Starts them. All gateways share the server's CPU; Redis is on one of the others. */
export async function startGatewayWorld(options: {
  folder: string;
  cores: Cores;
  /** How many, or which. */
  stations: number | readonly RegisteredStation[];
  gateways?: number;
  appendfsync?: "everysec" | "always";
  /** Files: stations come over TLS. */
  tls?: { certificate: string; key: string };
  env?: Record<string, string>;
}): Promise<GatewayWorld> {
  const { cores, stations, gateways: count = 1, appendfsync = "everysec", tls } = options;
  const folder = join(options.folder, `gateways-${randomBytes(4).toString("hex")}`);
  mkdirSync(folder);
  const server = await startRedis({
    program: await redisProgram(FOLDERS.tools, console.log),
    dataDirectory: join(folder, "redis"),
    logFile: join(folder, "redis.log"),
    appendOnly: true,
    diesWithUs: true,
    // A rewrite in the middle would be measured as somebody's cost.
    directives: [`appendfsync ${appendfsync}`, "auto-aof-rewrite-percentage 0"],
  });
  const redis = new Redis(server.url);
  const running: PinnedProcess[] = [];
  const close = async () => {
    redis.disconnect();
    await Promise.all(running.map((gateway) => gateway.stop()));
    await server.stop("SIGTERM", 20_000);
    // Its append-only file may be some gigabytes.
    rmSync(join(folder, "redis"), { recursive: true, force: true });
  };
  try {
    await promisify(execFile)("taskset", ["-a", "-p", "-c", cores.others, String(server.pid)]);
    const pepper = randomBytes(32);
    const registered = typeof stations === "number" ? madeUpStations(stations) : stations;
    const credentials = join(folder, "credentials.csv");
    writeFileSync(credentials, await registerStations(redis, registered, pepper), { mode: 0o600 });
    for (let at = 1; at <= count; at += 1)
      running.push(
        await startPinned({
          file: "gateway/main.ts",
          cores: cores.server,
          logFile: join(folder, `gateway-${at}.log`),
          env: {
            REDIS_URL: server.url,
            // Nobody is there: what is measured needs no decision.
            DECISIONS_URL: "127.0.0.1:1",
            STATION_PEPPERS: `p1:${pepper.toString("base64")}`,
            SECRETS_KEY: randomBytes(32).toString("base64"),
            NODE_ID: `bench-${at}`,
            GATEWAY_HOST: "127.0.0.1",
            GATEWAY_PORT: "0",
            INTERNAL_PORT: "0",
            // The limits are there for strangers; here everybody comes at once, from few addresses, again and again.
            HANDSHAKES_PER_SECOND: "0",
            CALLS_PER_SECOND: "1000000",
            FLAPPING_CONNECTIONS: "0",
            DRAIN_DEADLINE_MS: "1000",
            ...gatewayNodeOptions(),
            ...(tls && {
              GATEWAY_TLS_PORT: "0",
              GATEWAY_TLS_CERT_FILE: tls.certificate,
              GATEWAY_TLS_KEY_FILE: tls.key,
            }),
            ...options.env,
          },
          isReady: ({ msg }) => msg === "ready",
        }),
      );
  } catch (cause) {
    await close();
    throw cause;
  }
  const ports = running.map(({ ready }) => Number(ready[tls === undefined ? "port" : "tlsPort"]));
  const gatewayPids = running.map(({ pid }) => pid);
  const target: GatewayWorld["target"] = (version = "1.6") => ({
    ports,
    path: `/ocpp/${version}/`,
    credentials: join(folder, "credentials.csv"),
  });
  const tidy = async () => {
    for (const { ready } of running)
      await until("the gateway has no connection", () => hasNone(Number(ready["internalPort"])), 60_000);
    for (const laneId of await redis.hkeys(LANES)) await redis.xtrim(lane(laneId), "MAXLEN", 0);
  };
  return {
    target,
    contender: (name, version) => ({
      name,
      target: target(version),
      watch: { server: gatewayPids, redis: [server.pid] },
      tidy,
    }),
    gatewayPids,
    redisPid: server.pid,
    redisPort: server.port,
    redisUrl: server.url,
    redis,
    tidy,
    close,
  };
}

async function hasNone(internalPort: number): Promise<boolean> {
  const text = await (await fetch(`http://127.0.0.1:${internalPort}/metrics`)).text();
  const figures = [...text.matchAll(/^ocpp_connections(?:\{[^}]*\})? (\S+)$/gm)].map(([, figure]) => Number(figure));
  return text.includes("ocpp_connections") && figures.every((figure) => figure === 0);
}
