// One gateway, its Redis, one intake process and a Postgres: everything that a message passes which needs no decision. Any of
// them may run on any core, as they do where nobody measures.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { entriesBehind } from "../../faults/system/lanes.ts";
import { FOLDERS } from "../../folders.ts";
import { startProcess } from "../../server-process.ts";
import { startTestPostgres } from "../../test-servers.ts";
import { everywhere } from "../cores.ts";
import { startGatewayWorld } from "../gateway-world.ts";
import { cpuMsOf, cpuMsOfTree } from "../intake/cpu-of.ts";
import { registerFleet } from "../intake/fleet.ts";
import { POSTGRES } from "../intake/scene.ts";
import type { LoadGenerator } from "../load-generator.ts";
import { refuseWrong } from "../measure-in-turn.ts";
import { startPinned } from "../pinned-process.ts";

/** The processes of which all CPU is counted. */
export type Part = "gateway" | "redis" | "intake" | "postgres";

/** What came of playing the fleet until everything that was answered was stored. */
export interface SystemFigures {
  /** Messages that were answered; as many are in the message log, and as many meter values are stored. */
  stored: number;
  /** A second, over the time that was played. */
  answeredPerSecond: number;
  /** CPU in µs a message from the first message until all is stored. */
  partUs: Record<Part, number>;
  generatorUs: number;
  p50Us: number;
  /** Messages that found no station without an open CALL: the rate was too high. */
  held: number;
  /** What the intake told of its lag, in seconds, at even times while it was played. */
  lagsSeconds: number[];
  /** From the end of the last connection until everything was stored. */
  behindSeconds: number;
}

export interface SystemScene {
  /** Plays MeterValues of all stations. @param rate messages a second; undefined: each as soon as the last one is answered */
  play(options: { rate?: number; measureMs: number }): Promise<SystemFigures>;
  close(): Promise<void>;
}

const PHASE = "MeterValues";
/** From the last handshake to the first message. */
const REST_MS = 1_500;
const LOOK_MS = 250;
/** What is behind for so long is not applied at all. */
const DRAINED_DEADLINE_MS = 120_000;

/** @param stations that are connected, each with an open transaction */
export async function setSystemScene(folder: string, stations: number, generator: LoadGenerator): Promise<SystemScene> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const step of closers.toReversed()) await step();
  };
  try {
    const postgres = await startTestPostgres({ parameters: POSTGRES });
    closers.push(() => postgres.remove());
    const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
    closers.push(() => pool.end());
    const secrets = randomBytes(32).toString("base64");
    const migration = await startProcess({
      command: process.execPath,
      args: ["--conditions=source", "control-plane/processes/migrate/main.ts"],
      cwd: FOLDERS.root,
      env: { PATH: process.env["PATH"] ?? "", DATABASE_URL: postgres.url, SECRETS_KEY: secrets },
      logFile: join(folder, "system-migrate.log"),
      diesWithUs: true,
    });
    await migration.ended;
    const fleet = await registerFleet(pool, stations, "1.6");
    const cores = { server: everywhere(), others: everywhere() };
    const world = await startGatewayWorld({ folder, cores, stations: fleet });
    closers.push(() => world.close());
    const intake = await startPinned({
      file: "control-plane/processes/intake/main.ts",
      cores: everywhere(),
      logFile: join(folder, "system-intake.log"),
      env: {
        DATABASE_URL: postgres.url,
        REDIS_URL: world.redisUrl,
        SECRETS_KEY: secrets,
        INTERNAL_PORT: "0",
        // Nothing is read again after a loss here: what is committed may go from Redis.
        REPLAY_WINDOW: "0s",
      },
      isReady: ({ msg }) => msg === "ready",
    });
    closers.push(() => intake.stop());

    const sql = async <Row>(text: string, values: unknown[] = []) => (await pool.query(text, values)).rows as Row[];
    const cpuMs = (): Record<Part, number> => ({
      gateway: world.gatewayPids.reduce((sum, pid) => sum + cpuMsOf(pid), 0),
      redis: cpuMsOf(world.redisPid),
      intake: cpuMsOf(intake.pid),
      postgres: cpuMsOfTree(postgres.pid()),
    });
    const lagSeconds = () => highestLag(Number(intake.ready["internalPort"]));
    let told = 0;
    return {
      async play({ rate, measureMs }) {
        let before = cpuMs();
        const lagsSeconds: number[] = [];
        let isPlaying = true;
        let watching: Promise<void> | undefined;
        // What connecting has cost everybody is spent by then.
        const begin = async () => {
          await sleep(REST_MS * 0.9);
          before = cpuMs();
          for (await sleep(REST_MS * 0.1); isPlaying; await sleep(LOOK_MS)) lagsSeconds.push(await lagSeconds());
        };
        const [figures] = await generator
          .calls({
            ...world.target(),
            connections: stations,
            phases: [`${PHASE}!`],
            warmMs: 0,
            measureMs,
            told,
            watch: {},
            rest: { ms: REST_MS, connected: () => void (watching = begin()) },
            ...(rate !== undefined && { rate }),
          })
          .finally(() => (isPlaying = false));
        if (figures === undefined) throw new Error("the load generator told nothing");
        refuseWrong({ name: "the whole system" }, figures);
        const endedAtMs = performance.now();
        await allApplied(() => entriesBehind({ redis: world.redis, sql }));
        const after = cpuMs();
        const behindSeconds = (performance.now() - endedAtMs) / 1_000;
        await watching;
        const stored = await countStored(sql, figures.messages);
        told += Math.ceil((3 * stored) / stations);
        await pool.query("truncate message_log, meter_values, events cascade");
        await pool.query("checkpoint");
        const perMessage = (ms: number) => (ms * 1_000) / stored;
        return {
          stored,
          answeredPerSecond: figures.messages / figures.seconds,
          partUs: {
            gateway: perMessage(after.gateway - before.gateway),
            redis: perMessage(after.redis - before.redis),
            intake: perMessage(after.intake - before.intake),
            postgres: perMessage(after.postgres - before.postgres),
          },
          generatorUs: perMessage((figures.cpuSeconds["generator"] ?? 0) * 1_000),
          p50Us: figures.p50Us,
          held: figures.held,
          lagsSeconds,
          behindSeconds,
        };
      },
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}

async function allApplied(behind: () => Promise<number>): Promise<void> {
  // Twice: the ends of connections are told a moment after the last answer.
  const deadline = Date.now() + DRAINED_DEADLINE_MS;
  for (let quiet = 0; quiet < 2; await sleep(100)) {
    quiet = (await behind()) === 0 ? quiet + 1 : 0;
    if (Date.now() > deadline) throw new Error("the intake did not apply everything in time");
  }
}

/** Throws when less is stored than was answered. @returns how many messages are */
async function countStored(
  sql: <Row>(text: string, values?: unknown[]) => Promise<Row[]>,
  answered: number,
): Promise<number> {
  const [found] = await sql<{ messages: string; readings: string }>(
    `select (select count(*) from message_log where action = $1) as messages, (select count(*) from meter_values where transaction_id <> 0) as readings`,
    [PHASE],
  );
  const [messages, readings] = [Number(found?.messages), Number(found?.readings)];
  if (messages < answered || readings !== messages)
    throw new Error(`${answered} messages were answered: ${messages} are in the log, ${readings} meter values stored`);
  return messages;
}

async function highestLag(internalPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${internalPort}/metrics`)).text();
  const lags = [...text.matchAll(/^intake_lag_seconds(?:\{[^}]*\})? (\S+)$/gm)].map(([, lag]) => Number(lag));
  return Math.max(0, ...lags);
}
