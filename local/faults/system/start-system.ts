// The system under test: real processes, several of each, on a Redis of the asked topology and a Postgres, with proxies on
// the ways between them that faults break.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import pg from "pg";
import { FOLDERS } from "../../folders.ts";
import { gatewayNodeOptions } from "../../image-node-options.ts";
import { lastLines } from "../../log-file.ts";
import { startMailSink } from "../../mail-sink.ts";
import { freePort } from "../../ports.ts";
import { ensureSecrets } from "../../secrets.ts";
import { startProcess } from "../../server-process.ts";
import type { FaultySystem, Member, StationCredentials, Topology, Way } from "../contract.ts";
import { startFaultyPostgres } from "../servers/faulty-postgres.ts";
import { startReplicatedPostgres } from "../servers/replicated-postgres.ts";
import { startFaultyRedis } from "../servers/faulty-redis.ts";
import { startWays } from "../servers/ways.ts";
import { entriesBehind } from "./lanes.ts";
import { createMember } from "./member.ts";
import { createRest } from "./rest.ts";

interface Settings {
  topology: Topology;
  /** For data, logs and ledgers; made. Everybody must be able to enter it: as root Postgres runs as another user. */
  folder: string;
  counts: Record<Member["kind"], number>;
  /** For all processes, over the defaults. */
  env?: Record<string, string>;
  /** With an asynchronous standby, where this machine can. */
  postgres?: "replicated" | undefined;
  /** Name → value as in postgresql.conf. */
  postgresParameters?: Record<string, string>;
}

function openDirectly(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 4 });
  pool.on("error", () => {});
  return pool;
}

const CLI = "control-plane/processes/cli/main.ts";
/** Every station of the fleet charges with it. */
export const FLEET_TAG = "FLEET-TAG";

/** Starts everything and waits until it is ready. */
export async function startSystem(settings: Settings): Promise<FaultySystem> {
  const { folder, topology, counts } = settings;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const step of closers.toReversed()) await step().catch(() => {});
  };
  try {
    const ways = await startWays();
    closers.push(() => ways.close());
    const parameters = settings.postgresParameters ?? {};
    const replicated =
      settings.postgres === "replicated" ? await startReplicatedPostgres({ ways, parameters }) : undefined;
    const [redis, postgres, mail, secrets] = await Promise.all([
      startFaultyRedis(topology, { ways }),
      replicated === undefined || "reason" in replicated ? startFaultyPostgres({ ways, parameters }) : replicated,
      startMailSink({ folder: join(folder, "mail"), host: "127.0.0.1", httpPort: 0, smtpPort: 0 }),
      ensureSecrets(join(folder, "secrets")),
    ]);
    closers.push(
      () => redis.close(),
      () => postgres.close(),
      () => mail.close(),
    );
    const ports = new Map<string, number>();
    const names = (kind: Member["kind"]) => Array.from({ length: counts[kind] }, (_, at) => `${kind}-${at + 1}`);
    for (const name of [...names("gateway"), ...names("decisions"), ...names("api")]) ports.set(name, await freePort());
    const portOf = (name: string) => ports.get(name) ?? 0;
    const decisionsWay = await ways.open("decisions", names("decisions").map(portOf));
    const redisWays = new Map<string, Way>();
    for (const name of names("gateway")) redisWays.set(name, await redis.openWay(name));

    const publicApi = `http://127.0.0.1:${portOf("api-1")}`;
    const shared: Record<string, string> = {
      PATH: process.env["PATH"] ?? "",
      NODE_ENV: "development",
      REDIS_URL: redis.directUrl,
      DATABASE_URL: postgres.proxiedUrl,
      DECISIONS_URL: `127.0.0.1:${decisionsWay.port}`,
      PUBLIC_API_URL: publicApi,
      PUBLIC_OCPP_URL: `ws://127.0.0.1:${portOf("gateway-1")}`,
      SMTP_URL: `smtp://127.0.0.1:${mail.smtpPort}`,
      MAIL_FROM: "Dynamo CSMS <noreply@dynamo-csms.example>",
      WEBHOOK_ALLOW_PRIVATE: "true",
      FIRST_ORG_CONTACT_EMAIL: "operations@cpo.example",
      ...Object.fromEntries(Object.entries(secrets.variables).map(([name, file]) => [`${name}_FILE`, file])),
      ...settings.env,
    };
    const logFile = (name: string) => join(folder, `${name}.log`);
    const member = async (kind: Member["kind"], name: string): Promise<Member> => {
      const port = portOf(name);
      const internalPort = await freePort();
      const natMap = kind === "gateway" ? redis.natMapFor(name) : undefined;
      const own: Record<string, string> =
        kind === "gateway"
          ? {
              NODE_ID: name,
              GATEWAY_PORT: String(port),
              REDIS_URL: redis.urlFor(name),
              ...gatewayNodeOptions(),
              ...(natMap === undefined ? {} : { REDIS_NAT_MAP: natMap }),
            }
          : kind === "decisions"
            ? { DECISIONS_PORT: String(port) }
            : { API_PORT: String(port) };
      const env = { ...shared, ...own, INTERNAL_PORT: String(internalPort) };
      return createMember({ name, kind, port, internalPort, logFile: logFile(name), env });
    };
    const all = (kind: Member["kind"]) => Promise.all(names(kind).map((name) => member(kind, name)));
    const [gateways, decisions, intakes, jobs, apis] = await Promise.all([
      all("gateway"),
      all("decisions"),
      all("intake"),
      all("jobs"),
      all("api"),
    ]);
    const members = [...decisions, ...intakes, ...jobs, ...apis, ...gateways];
    closers.push(async () => {
      await Promise.all(
        members.map((one) => {
          one.resume();
          return one.kill();
        }),
      );
    });

    let pool = openDirectly(postgres.url);
    closers.push(() => pool.end());
    const log = createLogger("fatal", "harness");
    const client = connectRedis(parseRedisTarget(redis.directUrl), "commands", { connectionName: "harness", log });
    closers.push(async () => client.disconnect());
    const sql = async <Row>(text: string, values: unknown[] = []) => {
      // A standby that was promoted, or a server that was restored, is another one.
      if (pool.options.connectionString !== postgres.url) {
        await pool.end();
        pool = openDirectly(postgres.url);
      }
      return (await pool.query(text, values)).rows as Row[];
    };

    const command = async (name: string, file: string, args: string[]): Promise<string> => {
      const run = { command: process.execPath, args: ["--conditions=source", file, ...args], cwd: FOLDERS.root };
      const started = await startProcess({ ...run, diesWithUs: true, logFile: logFile(name), env: shared });
      await started.ended;
      return readFileSync(logFile(name), "utf8");
    };
    await command("migrate", "control-plane/processes/migrate/main.ts", []);
    const made = await command("bootstrap", CLI, [
      ..."bootstrap --name Faults --contact-email operations@cpo.example".split(" "),
    ]);
    const credentials = made.split("\n").find((line) => line.includes('"api_key"'));
    if (credentials === undefined) throw new Error(`no organisation:\n${lastLines(logFile("migrate"))}\n${made}`);
    const apiKey = (JSON.parse(credentials) as { api_key: string }).api_key;
    await command("tag", CLI, ["id-tokens", "add", "--token", FLEET_TAG, "--max-active", "unlimited"]);
    // One after the other: started all at once on few cores, none is ready in time.
    for (const one of [...decisions, ...intakes, ...jobs, ...apis]) await one.start();
    await Promise.all(gateways.map((one) => one.start()));

    const behind = () => entriesBehind({ redis: client, sql });
    let generated = 0;
    return {
      topology,
      folder,
      gateways,
      decisions,
      intakes,
      jobs,
      apis,
      redis,
      postgres,
      ...(replicated !== undefined && { replicated }),
      redisWay: (gateway) => redisWays.get(gateway) as Way,
      decisionsWay,
      apiKey,
      mailUrl: `http://127.0.0.1:${mail.httpPort}`,
      sql,
      rest: createRest(apis, () => apiKey),
      lag: behind,
      async caughtUp(timeoutMs) {
        let least = Number.POSITIVE_INFINITY;
        // A long backlog takes its time: what counts is that it shrinks.
        for (let deadline = Date.now() + timeoutMs; ;) {
          const entries = await behind().catch(() => least);
          if (entries === 0) return true;
          if (entries < least) deadline = Date.now() + timeoutMs;
          least = Math.min(least, entries);
          if (Date.now() > deadline) return false;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      },
      async generateStations(count, version): Promise<StationCredentials[]> {
        const name = `stations-${++generated}`;
        const file = join(folder, `${name}.csv`);
        const args = ["charge-points", "generate", "--count", String(count), "--ocpp", version, "--accepted"];
        const output = await command(name, CLI, [...args, "--out", file]);
        if (!existsSync(file)) throw new Error(`no stations were generated:\n${output}`);
        return readFileSync(file, "utf8")
          .trim()
          .split("\n")
          .slice(1)
          .map((row) => {
            const [identity = "", password = ""] = row.split(",");
            return { identity, password, version };
          });
      },
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}
