import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { Member } from "../faults/contract.ts";
import { createMember } from "../faults/system/member.ts";
import { FOLDERS } from "../folders.ts";
import { gatewayNodeOptions } from "../image-node-options.ts";
import { lastLines } from "../log-file.ts";
import { startMailSink } from "../mail-sink.ts";
import { freePort } from "../ports.ts";
import { ensureSecrets } from "../secrets.ts";
import { startProcess } from "../server-process.ts";
import { STATEMENT_PARAMETERS } from "./costly-statements.ts";
import { lookInside } from "./look-inside.ts";
import { startTestPostgres, startTestRedis } from "../test-servers.ts";

/** Every station of the fleet charges with it. */
export const ID_TAG = "LOADTEST";

/** A process that is watched while it works. */
export type WatchedProcess = Pick<Member, "name" | "kind" | "pid" | "metric">;

/** The system under load: real processes, on a Redis and a Postgres that wait for the disk. */
export interface LoadedSystem {
  /** Those that run now. */
  readonly gateways: readonly WatchedProcess[];
  /** All processes of the product that run now. */
  readonly members: readonly WatchedProcess[];
  /** Where stations connect. */
  ocppUrls: readonly string[];
  redisPid: number;
  /** The parent of all its processes. */
  postgresPid: number;
  apiUrl: string;
  apiKey: string;
  sql<Row>(text: string, values?: unknown[]): Promise<Row[]>;
  /**
   * Entries that are in the lanes and not applied.
   * @param search also for lanes that are not on record yet: Redis is busy with that for a moment
   */
  entriesBehind(search: boolean): Promise<number>;
  /** Registers stations with the command line that operators use. @returns its CSV lines, without the heading */
  generateStations(count: number, version: OcppVersion): Promise<string[]>;
  close(): Promise<void>;
}

/** One whose gateways may be stopped and started. */
export interface RestartableSystem extends LoadedSystem {
  readonly gateways: readonly Member[];
}

interface Wanted {
  folder: string;
  gateways: number;
  intakes: number;
  /** Postgres counts what its statements cost. */
  statements: boolean;
}

/** As in production: what is committed is on the disk. Large enough that no checkpoint falls into each minute. */
export const POSTGRES_PARAMETERS = {
  fsync: "on",
  full_page_writes: "on",
  wal_compression: "on",
  shared_buffers: "512MB",
  max_wal_size: "4GB",
  checkpoint_timeout: "15min",
};
const CLI = "control-plane/processes/cli/main.ts";

/** Starts everything and waits until it is ready. Throws with the reason when something does not start. */
export async function startSystem({ folder, gateways, intakes, statements }: Wanted): Promise<RestartableSystem> {
  mkdirSync(folder, { recursive: true });
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const step of closers.toReversed()) await step().catch(() => {});
  };
  try {
    const [redis, postgres, mail, secrets] = await Promise.all([
      startTestRedis({ appendOnly: true }),
      startTestPostgres({ parameters: { ...POSTGRES_PARAMETERS, ...(statements && STATEMENT_PARAMETERS) } }),
      startMailSink({ folder: join(folder, "mail"), host: "127.0.0.1", httpPort: 0, smtpPort: 0 }),
      ensureSecrets(join(folder, "secrets")),
    ]);
    closers.push(
      () => redis.remove(),
      () => postgres.remove(),
      () => mail.close(),
    );
    const decisionsPort = await freePort();
    const apiPort = await freePort();
    const gatewayPorts: number[] = [];
    while (gatewayPorts.length < gateways) gatewayPorts.push(await freePort());
    const apiUrl = `http://127.0.0.1:${apiPort}`;
    const shared: Record<string, string> = {
      PATH: process.env["PATH"] ?? "",
      NODE_ENV: "development",
      LOG_LEVEL: "info",
      REDIS_URL: redis.url,
      DATABASE_URL: postgres.url,
      DECISIONS_URL: `127.0.0.1:${decisionsPort}`,
      DECISIONS_PORT: String(decisionsPort),
      API_PORT: String(apiPort),
      PUBLIC_API_URL: apiUrl,
      PUBLIC_OCPP_URL: `ws://127.0.0.1:${gatewayPorts[0]}`,
      SMTP_URL: `smtp://127.0.0.1:${mail.smtpPort}`,
      MAIL_FROM: "Dynamo CSMS <noreply@dynamo-csms.example>",
      FIRST_ORG_CONTACT_EMAIL: "operations@cpo.example",
      // One organisation, one address: limits that are there against one bad caller would measure themselves.
      RATE_LIMIT_COMMAND: "1000000/60",
      ...Object.fromEntries(Object.entries(secrets.variables).map(([name, file]) => [`${name}_FILE`, file])),
    };
    const logFile = (name: string) => join(folder, `${name}.log`);
    const member = async (kind: Member["kind"], name: string, port: number, own: Record<string, string> = {}) => {
      const internalPort = await freePort();
      const memberEnv = { ...shared, ...own, INTERNAL_PORT: String(internalPort) };
      return createMember({ name, kind, port, internalPort, logFile: logFile(name), env: memberEnv });
    };
    const controlPlane = [
      await member("decisions", "decisions", decisionsPort),
      ...(await Promise.all(Array.from({ length: intakes }, (_, at) => member("intake", `intake-${at + 1}`, 0)))),
      await member("jobs", "jobs", 0),
      await member("api", "api", apiPort),
    ];
    const nodes = await Promise.all(
      gatewayPorts.map((port, at) =>
        member("gateway", `gateway-${at + 1}`, port, {
          GATEWAY_PORT: String(port),
          NODE_ID: `gateway-${at + 1}`,
          ...gatewayNodeOptions(),
        }),
      ),
    );
    const members = [...nodes, ...controlPlane];
    closers.push(() => Promise.all(members.map((one) => one.kill())));

    const inside = lookInside({ redisUrl: redis.url, databaseUrl: postgres.url });
    closers.push(() => inside.close());

    const command = async (name: string, file: string, args: string[]): Promise<string> => {
      const run = { command: process.execPath, args: ["--conditions=source", file, ...args], cwd: FOLDERS.root };
      const started = await startProcess({ ...run, diesWithUs: true, logFile: logFile(name), env: shared });
      await started.ended;
      return readFileSync(logFile(name), "utf8");
    };
    await command("migrate", "control-plane/processes/migrate/main.ts", []);
    const bootstrap = ["bootstrap", "--name", "Load test", "--contact-email", "operations@cpo.example"];
    const made = await command("bootstrap", CLI, bootstrap);
    const credentials = made.split("\n").find((line) => line.includes('"api_key"'));
    if (credentials === undefined) throw new Error(`no organisation:\n${lastLines(logFile("migrate"))}\n${made}`);
    await command("tag", CLI, ["id-tokens", "add", "--token", ID_TAG, "--max-active", "unlimited"]);
    // One after the other: started all at once on few cores, none is ready in time.
    for (const one of [...controlPlane, ...nodes]) await one.start();

    return {
      gateways: nodes,
      members,
      ocppUrls: gatewayPorts.map((port) => `ws://127.0.0.1:${port}/ocpp`),
      redisPid: redis.pid(),
      postgresPid: postgres.pid(),
      apiUrl,
      apiKey: (JSON.parse(credentials) as { api_key: string }).api_key,
      sql: inside.sql,
      entriesBehind: inside.entriesBehind,
      async generateStations(count, version) {
        const file = join(folder, `stations-${version}.csv`);
        const args = ["charge-points", "generate", "--count", String(count), "--ocpp", version, "--accepted"];
        const output = await command(`generate-${version}`, CLI, [...args, "--out", file]);
        if (!existsSync(file)) throw new Error(`no stations were generated:\n${output}`);
        return readFileSync(file, "utf8").trim().split("\n").slice(1);
      },
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}
