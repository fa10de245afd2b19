import { execFile } from "node:child_process";
import { chownSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { FOLDERS } from "../../folders.ts";
import { temporaryFolder } from "../../test-servers.ts";
import { unprivilegedUser } from "../../unprivileged-user.ts";
import type { Breakable, FaultyPostgres, Ways } from "../contract.ts";
import { withPort } from "./faulty-postgres.ts";
import { dataDirectoryOf, startInstance, type CommonSettings, type PostgresInstance } from "./postgres-instance.ts";
import { systemPostgres } from "./system-postgres.ts";
import { watchedDiskLibrary } from "./watched-disk.ts";

/** A segment of the log that nothing fills is archived after this long: what a restore may miss. */
const ARCHIVE_SECONDS = 5;
const PROMOTE_SECONDS = 60;

/** A primary with an asynchronous standby behind one address, an archive of its log, and backups. */
export interface ReplicatedPostgres extends FaultyPostgres {
  readonly major: number;
  readonly standby: Breakable;
  /** Nothing more reaches the standby: whatever is committed from now on, it lacks. */
  cutStandby(): Promise<void>;
  /**
   * As when the primary's machine is lost: the primary is killed, the standby promoted, and answers at the same address.
   * Resolves to how much of the primary's log the new one never had. Once only.
   */
  failOver(): Promise<{ missingBytes: number }>;
  /** A base backup of the primary while it works. Resolves to its folder. */
  takeBaseBackup(): Promise<string>;
  /**
   * As when all machines are lost but the backup and the archive: whatever runs is killed, and a server made from the base
   * backup and the archived log answers at the same address.
   *
   * @param until with everything committed up to this moment; else with everything that was archived
   */
  restore(backup: string, until?: Date): Promise<void>;
}

/**
 * Starts both, with Postgres of this machine or Debian's; they end with this process.
 *
 * @param options.parameters name → value, as in postgresql.conf, for both
 * @returns the reason where this machine has no such Postgres
 */
export async function startReplicatedPostgres(options: {
  ways: Ways;
  parameters?: Record<string, string>;
}): Promise<ReplicatedPostgres | { reason: string }> {
  const folder = temporaryFolder("replicated-postgres");
  const removeFolder = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", removeFolder);
  const programs = await systemPostgres(FOLDERS.tools, join(folder, "programs"));
  if ("reason" in programs) {
    removeFolder();
    return programs;
  }
  const runAs = unprivilegedUser();
  const run = (command: string, args: readonly string[]) =>
    promisify(execFile)(command, args, {
      cwd: "/",
      env: { PATH: process.env["PATH"], LC_ALL: "C", ...programs.env },
      ...runAs,
    });
  /** A folder that belongs to the servers' user. */
  const ownFolder = (path: string) => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (runAs) chownSync(path, runAs.uid, runAs.gid);
    return path;
  };
  const archive = ownFolder(join(folder, "archive"));
  const common: CommonSettings = {
    folder,
    library: await watchedDiskLibrary(FOLDERS.tools),
    runAs,
    binaries: programs.binaries,
    programEnv: programs.env,
    systemLocale: programs.major < 17,
    parameters: {
      ...options.parameters,
      archive_mode: "on",
      archive_timeout: String(ARCHIVE_SECONDS),
      archive_command: `cp %p ${archive}/%f.part && mv ${archive}/%f.part ${archive}/%f`,
    },
  };
  const baseBackup = (url: string, into: string, ...more: string[]) =>
    run(join(programs.binaries, "bin", "pg_basebackup"), [
      ...["--dbname", url, "--pgdata", into, "--checkpoint", "fast", "--wal-method", "stream", "--no-sync"],
      ...more,
    ]);

  let primary = await startInstance("primary", common);
  const all: PostgresInstance[] = [primary];
  const close = async () => {
    await Promise.all(all.map((server) => server.kill()));
    process.removeListener("exit", removeFolder);
    removeFolder();
  };
  try {
    const way = await options.ways.open(`postgres:${primary.port}`, [primary.port]);
    const replication = await options.ways.open(`replication:${primary.port}`, [primary.port]);
    ownFolder(join(folder, "standby"));
    const standbyData = dataDirectoryOf(common, "standby");
    await baseBackup(withPort(primary.url, replication.port), standbyData, "--write-recovery-conf");
    const standby = await startInstance("standby", common);
    all.push(standby);
    let count = 0;

    /** Whoever is connected has to come again, and finds the new one. */
    const answerWith = async (server: PostgresInstance) => {
      primary = server;
      await way.retarget([server.port]);
      await way.cut();
    };
    return {
      name: "postgres",
      major: programs.major,
      pid: () => primary.pid(),
      running: () => primary.running(),
      kill: () => primary.kill(),
      stop: () => primary.stop(),
      pause: () => primary.pause(),
      resume: () => primary.resume(),
      start: () => primary.start(),
      get url() {
        return primary.url;
      },
      proxiedUrl: withPort(primary.url, way.port),
      way,
      standby,
      fillDisk: async () => primary.disk.fill(),
      freeDisk: async () => primary.disk.free(),
      cutStandby: () => replication.blackhole(),
      async failOver() {
        if (primary === standby) throw new Error("the standby is the primary already");
        const [sent] = await query<{ at: string }>(primary.url, "select pg_current_wal_flush_lsn()::text as at");
        await primary.kill();
        await replication.refuse();
        const [had] = await query<{ missing: string }>(
          standby.url,
          "select pg_wal_lsn_diff($1, coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()))::text as missing",
          [sent?.at],
        );
        const [promoted] = await query<{ done: boolean }>(
          standby.url,
          `select pg_promote(true, ${PROMOTE_SECONDS}) as done`,
        );
        if (!promoted?.done) throw new Error(`the standby was not promoted within ${PROMOTE_SECONDS} s`);
        await answerWith(standby);
        return { missingBytes: Math.max(0, Number(had?.missing)) };
      },
      async takeBaseBackup() {
        const backup = join(ownFolder(join(folder, "backups")), String(++count));
        await baseBackup(primary.url, backup);
        return backup;
      },
      async restore(backup, until) {
        await Promise.all(all.map((server) => server.kill()));
        const name = `restored-${++count}`;
        ownFolder(join(folder, name));
        const data = dataDirectoryOf(common, name);
        await run("cp", ["-a", backup, data]);
        writeFileSync(join(data, "recovery.signal"), "");
        const restored = await startInstance(name, common, {
          restore_command: `cp ${archive}/%f %p`,
          recovery_target_action: "promote",
          // Abbreviations of time zones, and "Z" is one, are not known yet when this is read.
          ...(until !== undefined && { recovery_target_time: until.toISOString().replace("Z", "+00") }),
        });
        all.push(restored);
        await recovered(restored);
        await answerWith(restored);
      },
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/** Until then it only reads. */
async function recovered(server: PostgresInstance): Promise<void> {
  while (server.running()) {
    const [row] = await query<{ still: boolean }>(server.url, "select pg_is_in_recovery() as still");
    if (row?.still === false) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the restored Postgres ended before it had read the archive");
}

async function query<Row>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows as Row[];
  } finally {
    await client.end();
  }
}
