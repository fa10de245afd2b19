import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import { startMailSink } from "../mail-sink.ts";
import { freePort } from "../ports.ts";
import { ensureSecrets } from "../secrets.ts";
import { lastLines } from "../log-file.ts";
import { startProcess, type ServerProcess } from "../server-process.ts";
import { startTestPostgres, startTestRedis, type TestServer } from "../test-servers.ts";
import { eventually } from "./eventually.ts";

/** Every process of the product, with what it is started from. */
const PROGRAMS = {
  decisions: "control-plane/processes/decisions/main.ts",
  intake: "control-plane/processes/intake/main.ts",
  jobs: "control-plane/processes/jobs/main.ts",
  api: "control-plane/processes/api/main.ts",
  gateway1: "gateway/main.ts",
  gateway2: "gateway/main.ts",
} as const;
export type ProgramName = keyof typeof PROGRAMS;

const CLI = "control-plane/processes/cli/main.ts";
const CONTROL_PLANE: ProgramName[] = ["decisions", "intake", "jobs", "api"];

/** The whole product in real processes on free ports, each of which a test may kill and start again. */
export interface Cluster {
  apiUrl: string;
  /** ws:// origins of the two gateway nodes. */
  ocppUrls: [string, string];
  apiKey: string;
  databaseUrl: string;
  redisUrl: string;
  /** The mail sink's page and API. */
  mailUrl: string;
  redis: TestServer;
  postgres: TestServer;
  /** Starts what is not running, with further variables, and waits until it is ready. */
  start(name: ProgramName, env?: Record<string, string>): Promise<void>;
  /** SIGKILL: as a crash. */
  kill(name: ProgramName): Promise<void>;
  /** SIGTERM, in order. Resolves to what its log says at the end. */
  stop(name: ProgramName): Promise<string>;
  stopControlPlane(): Promise<void>;
  startControlPlane(): Promise<void>;
  log(name: ProgramName): string;
  /**
   * Registers stations whose registration is already accepted, with the command line that operators use.
   * @param orgId has to be given once there is more than one organisation
   */
  generateStations(
    count: number,
    version: OcppVersion,
    orgId?: string,
  ): Promise<{ identity: string; password: string }[]>;
  close(): Promise<void>;
}

/**
 * Starts Redis (append-only), Postgres, migrates, makes the first organisation, and starts every process.
 * @param env variables for all processes, over the defaults. @param postgresParameters as in postgresql.conf.
 */
export async function startCluster(
  env: Record<string, string> = {},
  postgresParameters: Record<string, string> = {},
): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-e2e-"));
  const [mail, redis, postgres, secrets] = await Promise.all([
    startMailSink({ folder: join(folder, "mail"), host: "127.0.0.1", httpPort: 0, smtpPort: 0 }),
    startTestRedis({ appendOnly: true }),
    startTestPostgres({ parameters: postgresParameters }),
    ensureSecrets(join(folder, "secrets")),
  ]);
  const ports = Object.fromEntries(
    await Promise.all(
      ["api", "decisions", "gateway1", "gateway2"].map(async (name) => [name, await freePort()] as const),
    ),
  ) as Record<"api" | "decisions" | "gateway1" | "gateway2", number>;
  const apiUrl = `http://localhost:${ports.api}`;
  const ocppUrls: [string, string] = [`ws://localhost:${ports.gateway1}`, `ws://localhost:${ports.gateway2}`];
  const shared: Record<string, string> = {
    PATH: process.env["PATH"] ?? "",
    NODE_ENV: "development",
    REDIS_URL: redis.url,
    DATABASE_URL: postgres.url,
    DECISIONS_URL: `127.0.0.1:${ports.decisions}`,
    DECISIONS_PORT: String(ports.decisions),
    API_PORT: String(ports.api),
    PUBLIC_API_URL: apiUrl,
    PUBLIC_OCPP_URL: ocppUrls[0],
    SMTP_URL: `smtp://127.0.0.1:${mail.smtpPort}`,
    MAIL_FROM: "Dynamo CSMS <noreply@dynamo-csms.example>",
    INTERNAL_PORT: "0",
    WEBHOOK_ALLOW_PRIVATE: "true",
    FIRST_ORG_CONTACT_EMAIL: "operations@cpo.example",
    ...Object.fromEntries(Object.entries(secrets.variables).map(([name, file]) => [`${name}_FILE`, file])),
    ...env,
  };
  const own: Partial<Record<ProgramName, Record<string, string>>> = {
    gateway1: { NODE_ID: "gw-1", GATEWAY_PORT: String(ports.gateway1) },
    gateway2: { NODE_ID: "gw-2", GATEWAY_PORT: String(ports.gateway2) },
  };

  const running = new Map<ProgramName, ServerProcess>();
  const logFile = (name: string) => join(folder, `${name}.log`);
  const run = (name: string, file: string, args: string[], more: Record<string, string> = {}) =>
    startProcess({
      command: process.execPath,
      args: ["--conditions=source", file, ...args],
      cwd: FOLDERS.root,
      diesWithUs: true,
      logFile: logFile(name),
      env: { ...shared, ...more },
    });
  const runToEnd = async (name: string, file: string, args: string[]): Promise<string> => {
    await (
      await run(name, file, args)
    ).ended;
    return readFileSync(logFile(name), "utf8");
  };

  const cluster: Cluster = {
    apiUrl,
    ocppUrls,
    apiKey: "",
    databaseUrl: postgres.url,
    redisUrl: redis.url,
    mailUrl: `http://127.0.0.1:${mail.httpPort}`,
    redis,
    postgres,
    async start(name, more = {}) {
      const readySoFar = countReady(logFile(name));
      const started = await run(name, PROGRAMS[name], [], { ...own[name], ...more });
      running.set(name, started);
      await eventually(`${name} is ready`, () => {
        if (started.hasEnded()) throw new Error(`${name} ended:\n${lastLines(logFile(name))}`);
        return countReady(logFile(name)) > readySoFar;
      });
    },
    async kill(name) {
      await running.get(name)?.stop("SIGKILL", 10_000);
      running.delete(name);
    },
    async stop(name) {
      await running.get(name)?.stop("SIGTERM", 45_000);
      running.delete(name);
      return lastLines(logFile(name));
    },
    async stopControlPlane() {
      await Promise.all(CONTROL_PLANE.map((name) => cluster.stop(name)));
    },
    async startControlPlane() {
      await Promise.all(CONTROL_PLANE.map((name) => cluster.start(name)));
    },
    log: (name) => lastLines(logFile(name), { count: 200_000 }),
    async generateStations(count, version, orgId) {
      const file = join(folder, `stations-${version}-${count}.csv`);
      const args = [
        "charge-points",
        "generate",
        "--count",
        String(count),
        "--ocpp",
        version,
        "--accepted",
        "--out",
        file,
        ...(orgId === undefined ? [] : ["--org", orgId]),
      ];
      const output = await runToEnd("generate", CLI, args);
      if (!existsSync(file)) throw new Error(`no stations were generated:\n${output}`);
      const [heading, ...rows] = readFileSync(file, "utf8").trim().split("\n");
      if (rows.length !== count) throw new Error(`${rows.length} stations were generated, not ${count}:\n${output}`);
      if (heading !== "charge_point_id,password") throw new Error(`unexpected heading ${heading}`);
      return rows.map((row) => {
        const [identity = "", password = ""] = row.split(",");
        return { identity, password };
      });
    },
    async close() {
      await Promise.all([...running.values()].map((child) => child.stop("SIGKILL", 10_000)));
      await Promise.all([mail.close(), redis.remove(), postgres.remove()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };

  try {
    await runToEnd("migrate", "control-plane/processes/migrate/main.ts", []);
    const bootstrap = ["bootstrap", "--name", "Test CPO", "--contact-email", "operations@cpo.example"];
    const output = await runToEnd("bootstrap", CLI, bootstrap);
    const line = output.split("\n").find((text) => text.includes('"api_key"'));
    if (line === undefined) throw new Error(`no API key from bootstrap:\n${lastLines(logFile("migrate"))}\n${output}`);
    cluster.apiKey = (JSON.parse(line) as { api_key: string }).api_key;
    await cluster.startControlPlane();
    await Promise.all([cluster.start("gateway1"), cluster.start("gateway2")]);
  } catch (cause) {
    await cluster.close();
    throw cause;
  }
  return cluster;
}

function countReady(file: string): number {
  return lastLines(file, { count: 100_000 }).split('"msg":"ready"').length - 1;
}
