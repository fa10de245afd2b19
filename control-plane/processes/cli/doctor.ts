import { setTimeout as sleep } from "node:timers/promises";
import type { Environment } from "@dynamo-csms/proto/process/environment";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { connectionReady, connectRedis, type RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import pg from "pg";
import { ConfigReader } from "../../config-reader.ts";
import { sqlOn } from "../../database.ts";
import { backlogsCheck, processesCheck, registryCheck } from "../../operations/doctor/check-backlogs.ts";
import { ownCertificatesCheck, stationCertificatesCheck } from "../../operations/doctor/check-certificates.ts";
import { clocksCheck } from "../../operations/doctor/check-clocks.ts";
import { configurationCheck } from "../../operations/doctor/check-configuration.ts";
import { lanesCheck, nodesCheck } from "../../operations/doctor/check-lanes.ts";
import { postgresCheck } from "../../operations/doctor/check-postgres.ts";
import { queuesCheck } from "../../operations/doctor/check-queues.ts";
import { redisCheck } from "../../operations/doctor/check-redis.ts";
import { smtpCheck } from "../../operations/doctor/check-smtp.ts";
import type { Check, Finding } from "../../operations/doctor/finding.ts";
import { runChecks } from "../../operations/doctor/run-checks.ts";
import { readConfig as readApiConfig } from "../api/config.ts";
import { readConfig as readDecisionsConfig } from "../decisions/config.ts";
import { readConfig as readIntakeConfig } from "../intake/config.ts";
import { readConfig as readJobsConfig } from "../jobs/config.ts";
import { type CommandIo, defineCommand } from "./cli-command.ts";
import { visible } from "./table.ts";

type ReadFile = (path: string) => string;

const READY_MS = 6_000;
const QUERY_MS = 8_000;

/** The variables that name the deployment's own certificates; all may come as files. */
const CERTIFICATES = [
  "GATEWAY_TLS_CERT",
  "GATEWAY_MTLS_CA",
  "PDF_SIGNING_CERT",
  "LOCAL_CA_CERT",
  "DECISIONS_CA",
  "DECISIONS_CERT",
  "ISO15118_ROOTS",
];

/**
 * Examines the deployment and prints what is wrong and what to do. Every part has its own time limit, so an outage of one
 * hides no other. Exit code 1 when there is a problem; warnings leave it 0.
 */
async function doctor(_flags: object, io: CommandIo): Promise<void> {
  const findings = await examine(io.env, io.readFile);
  const count = (status: Finding["status"]) => findings.filter((finding) => finding.status === status).length;
  const sum = { problems: count("problem"), warnings: count("warning") };
  if (io.output === "json") io.print({ ...sum, findings });
  else {
    for (const finding of findings) io.write(`${inLines(finding, io.colours)}\n`);
    io.write(`\n${sum.problems} problems, ${sum.warnings} warnings\n`);
  }
  if (sum.problems > 0) io.fail();
}

async function examine(env: Environment, readFile: ReadFile): Promise<Finding[]> {
  const read = new ConfigReader(env, readFile);
  // Read leniently: what is missing or wrong is a finding, and the rest is examined.
  const { databaseUrl, redis: target } = read.shared() as { [K in "databaseUrl" | "redis"]: Shared[K] | undefined };
  const durability = read.choice("ACK_DURABILITY", "redis", ["redis", "replica", "aof"]);
  const replayWindowMs = read.durationMs("REPLAY_WINDOW", 60_000, 0, 3_600_000);
  const secret = (name: string) => read.secret(name);
  const certificates = CERTIFICATES.map((name) => ({ name, pem: secret(name) }));
  const smtpUrl = secret("SMTP_URL");
  const [intake, lenient] = [{ readFile, holder: "doctor" }, readFile];

  const checks: Check[] = [
    configurationCheck(env, [
      { name: "api", read: (given) => readApiConfig(given, lenient) },
      { name: "jobs", read: (given) => readJobsConfig(given, lenient) },
      { name: "decisions", read: (given) => readDecisionsConfig(given, lenient) },
      { name: "intake", read: (given) => readIntakeConfig(given, intake) },
    ]),
  ];
  const pool = databaseUrl === undefined ? undefined : openShortPool(databaseUrl);
  const sql = pool && sqlOn(pool);
  const redis =
    target && connectRedis(target, "commands", { connectionName: "doctor", log: createLogger("fatal", "doctor") });
  if (redis === undefined) checks.push(unset("redis", "REDIS_URL"));
  else {
    const ready = readyWithin(redis, READY_MS);
    checks.push(
      redisCheck({ target: target as NonNullable<typeof target>, redis, ready: () => ready, durability }),
      queuesCheck(redis),
    );
    if (sql !== undefined)
      checks.push(
        lanesCheck({ sql, redis }),
        nodesCheck({ sql, redis }),
        registryCheck({ sql, redis }),
        clocksCheck({ sql, redis }),
      );
    // Only then: what is asked of a connection that is not up fails at once.
    await ready.catch(() => undefined);
  }
  if (sql === undefined) checks.push(unset("postgres", "DATABASE_URL"));
  else
    checks.push(
      postgresCheck(sql, replayWindowMs),
      processesCheck(sql),
      backlogsCheck(sql),
      stationCertificatesCheck(sql),
    );
  checks.push(ownCertificatesCheck(certificates), smtpCheck(smtpUrl));

  try {
    const secrets = [databaseUrl, smtpUrl, secret("REDIS_URL")].flatMap((url) => passwordIn(url));
    return await runChecks(checks, { secrets });
  } finally {
    redis?.disconnect();
    // A server that says nothing is not waited for.
    await Promise.race([pool?.end(), sleep(1_000, undefined, { ref: false })]).catch(() => undefined);
  }
}

async function readyWithin(redis: RedisConnection, ms: number): Promise<void> {
  const isReady = await Promise.race([connectionReady(redis).then(() => true), sleep(ms, false, { ref: false })]);
  if (!isReady) throw new Error(`cannot be reached within ${ms / 1_000} s`);
}

type Shared = ReturnType<ConfigReader["shared"]>;

/** Shorter limits than a process has: somebody waits. */
function openShortPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max: 4,
    application_name: "doctor",
    connectionTimeoutMillis: 5_000,
    statement_timeout: QUERY_MS,
    query_timeout: QUERY_MS,
  });
  pool.on("error", () => {});
  return pool;
}

const unset = (name: string, variable: string): Check => ({
  name,
  run: () => Promise.reject(new Error(`${variable} is not set, or not one that can be read`)),
});

/** The password of a URL as it stands there, and as it reads. */
function passwordIn(url: string | undefined): string[] {
  const [, password = ""] = /:\/\/[^/@]*?:([^@]+)@/.exec(url ?? "") ?? [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

const COLOURS: Readonly<Record<Finding["status"], string>> = { ok: "32", warning: "33", problem: "31" };

function inLines({ check, status, seen, remedy, runbook }: Finding, colours: boolean): string {
  const word = status.padEnd(8);
  const head = `${colours ? `\u001B[${COLOURS[status]}m${word}\u001B[0m` : word} ${check}: ${visible(seen)}`;
  const more = [remedy, runbook && `docs/runbooks/${runbook}.md`].filter(Boolean).map((line) => `\n         → ${line}`);
  return head + more.join("");
}

/** What is wrong with the deployment, and what to do. */
export const doctorCommand = defineCommand({
  name: "doctor",
  summary: "Says what is wrong with the deployment and what to do.",
  more: "Exit code 0: no problem was found. It changes nothing and shows no secret.",
  flags: {},
  examples: ["doctor", "doctor -o json"],
  reads: true,
  prefersTable: true,
  run: doctor,
});
