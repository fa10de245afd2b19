// A Postgres that waits for the disk, a Redis, the decisions process, its unary twin, and a process that asks as a gateway does.
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import pg from "pg";
import { FOLDERS } from "../../folders.ts";
import { startProcess } from "../../server-process.ts";
import { startTestPostgres, startTestRedis } from "../../test-servers.ts";
import { cpuMsOf, cpuMsOfTree } from "../intake/cpu-of.ts";
import { registerFleet } from "../intake/fleet.ts";
import { startPinned } from "../pinned-process.ts";

/** Every commit waits for the disk. */
const POSTGRES = { fsync: "on", full_page_writes: "on", shared_buffers: "256MB", max_wal_size: "4GB" } as const;

/** What gateway/test/decisions-driver.ts answers. */
export interface DriveFigures {
  decisions: number;
  seconds: number;
  p50Ms: number;
  refused: number;
}

export interface DecisionsScene {
  identities: readonly string[];
  /** CPU time that they took so far. */
  cpuMs(): { decisions: number; postgres: number };
  drive(way: "stream" | "unary", identities: readonly string[], turns: number): Promise<DriveFigures>;
  close(): Promise<void>;
}

export async function setDecisionsScene(folder: string, cores: string, stations: number): Promise<DecisionsScene> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const step of closers.toReversed()) await step();
  };
  try {
    const postgres = await startTestPostgres({ parameters: POSTGRES });
    closers.push(() => postgres.remove());
    const redis = await startTestRedis({ appendOnly: true });
    closers.push(() => redis.remove());
    const env = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, SECRETS_KEY: randomBytes(32).toString("base64") };
    const start = async (name: string, file: string, more: Record<string, string> = {}) => {
      const logFile = join(folder, `${name}.log`);
      const isReady = (line: Record<string, unknown>) => line["msg"] === "ready";
      const process_ = await startPinned({ file, env: { ...env, ...more }, cores, logFile, isReady });
      closers.push(() => process_.stop());
      return { pid: process_.pid, address: `127.0.0.1:${String(process_.ready["port"])}` };
    };
    const migration = await startProcess({
      command: process.execPath,
      args: ["--conditions=source", "control-plane/processes/migrate/main.ts"],
      cwd: FOLDERS.root,
      env: { PATH: process.env["PATH"] ?? "", ...env },
      logFile: join(folder, "migrate.log"),
      diesWithUs: true,
    });
    await migration.ended;
    const pool = new pg.Pool({ connectionString: postgres.url, max: 1 });
    const fleet = await registerFleet(pool, stations, "1.6");
    // The driver's sessions are the only ones, and each card may have one of them at a time, as it is by default.
    await pool.query("delete from transactions");
    await pool.query(
      `insert into id_tokens (org_id, id, token, spelling, status, max_active_transactions)
       select org_id, 'tok_' || id, lower('TAG-' || identity), 'TAG-' || identity, 'Accepted', 1 from stations`,
    );
    await pool.query("vacuum analyze");
    await pool.end();
    const decisions = await start("decisions", "control-plane/processes/decisions/main.ts", {
      DECISIONS_PORT: "0",
      INTERNAL_PORT: "0",
    });
    const unary = await start("unary", "control-plane/test/unary-decisions.ts");

    const driver = fork(join(FOLDERS.root, "gateway/test/decisions-driver.ts"), [decisions.address, unary.address], {
      execArgv: ["--conditions=source"],
    });
    closers.push(() => void driver.kill("SIGKILL"));
    await once(driver, "message");
    return {
      identities: fleet.map(({ identity }) => identity),
      cpuMs: () => ({ decisions: cpuMsOf(decisions.pid), postgres: cpuMsOfTree(postgres.pid()) }),
      async drive(way, identities, turns) {
        driver.send({ way, identities, turns });
        const [answer] = (await once(driver, "message")) as [DriveFigures | { fault: string }];
        if ("fault" in answer) throw new Error(answer.fault);
        if (answer.refused > 0) throw new Error(`${answer.refused} of ${answer.decisions} were not accepted`);
        return answer;
      },
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}
