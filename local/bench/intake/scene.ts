// A Postgres, a Redis with lanes in it, and one real intake process: nothing else.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import pg from "pg";
import { FOLDERS } from "../../folders.ts";
import { lastLines, textFrom } from "../../log-file.ts";
import { startProcess, type ServerProcess } from "../../server-process.ts";
import { startTestPostgres, startTestRedis, type TestServer } from "../../test-servers.ts";
import type { CopyOrder } from "./copy-process.ts";

/** As a server of some size is set up; every commit waits for the disk. */
export const POSTGRES = {
  fsync: "on",
  full_page_writes: "on",
  wal_compression: "on",
  shared_buffers: "512MB",
  max_wal_size: "8GB",
  checkpoint_timeout: "1h",
  autovacuum: "off",
} as const;

const READY_DEADLINE_MS = 60_000;

/** The rows of a drained lane, made by COPY in another process. */
export interface CopyReference {
  pid: number;
  load(order: CopyOrder): Promise<void>;
  /** @returns how many rows. */
  copy(): Promise<number>;
}

export interface IntakeScene {
  postgres: TestServer;
  redisServer: TestServer;
  redis: Redis;
  pool: pg.Pool;
  startIntake(env: Record<string, string>): Promise<ServerProcess>;
  startReference(): Promise<CopyReference>;
  /** Resolves when everything up to this entry is committed. */
  drained(laneId: string, lastId: string): Promise<void>;
  close(): Promise<void>;
}

/** @param folder for the logs of processes. */
export async function setIntakeScene(folder: string): Promise<IntakeScene> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const step of closers.toReversed()) await step();
  };
  try {
    const postgres = await startTestPostgres({
      parameters: POSTGRES,
    });
    closers.push(() => postgres.remove());
    const redisServer = await startTestRedis({ appendOnly: true });
    closers.push(() => redisServer.remove());
    const env = {
      PATH: process.env["PATH"] ?? "",
      DATABASE_URL: postgres.url,
      REDIS_URL: redisServer.url,
      SECRETS_KEY: randomBytes(32).toString("base64"),
    };
    const started = (name: string, file: string, more: Record<string, string>) =>
      startProcess({
        command: process.execPath,
        args: ["--conditions=source", file],
        cwd: FOLDERS.root,
        env: { ...env, ...more },
        logFile: join(folder, `${name}.log`),
        diesWithUs: true,
      });
    await (
      await started("migrate", "control-plane/processes/migrate/main.ts", {})
    ).ended;
    const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
    closers.push(() => pool.end());
    const redis = new Redis(redisServer.url);
    closers.push(() => redis.disconnect());

    return {
      postgres,
      redisServer,
      redis,
      pool,
      async startIntake(more) {
        const logFile = join(folder, "intake.log");
        const intake = await started("intake", "control-plane/processes/intake/main.ts", more);
        closers.push(() => intake.stop("SIGTERM", 20_000));
        for (const deadline = Date.now() + READY_DEADLINE_MS; !textFrom(logFile, 0).includes('"msg":"ready"');) {
          if (intake.hasEnded() || Date.now() > deadline) throw new Error(`no intake:\n${lastLines(logFile)}`);
          await sleep(50);
        }
        return intake;
      },
      async startReference() {
        const child = fork(join(import.meta.dirname, "copy-process.ts"), [postgres.url]);
        closers.push(() => void child.kill("SIGKILL"));
        await once(child, "message");
        const ask = async (order: CopyOrder | "copy"): Promise<number> => {
          child.send(order);
          const [answer] = (await once(child, "message")) as [{ rows: number } | { fault: string }];
          if ("fault" in answer) throw new Error(answer.fault);
          return answer.rows;
        };
        return {
          pid: child.pid as number,
          load: async (order) => void (await ask(order)),
          copy: () => ask("copy"),
        };
      },
      async drained(laneId, lastId) {
        for (;;) {
          const { rows } = await pool.query<{ offset: string }>(`select "offset" from lanes where id = $1`, [laneId]);
          if (rows[0]?.offset === lastId) return;
          await sleep(100);
        }
      },
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}
