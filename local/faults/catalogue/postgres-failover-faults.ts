import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultySystem, World } from "../contract.ts";
import type { ReplicatedPostgres } from "../servers/replicated-postgres.ts";

/** Postgres that comes back without its last commits. They are played in this order: a failover happens once. */
export const POSTGRES_FAILOVER_FAULTS: readonly Fault[] = [
  {
    id: "A14",
    title: "Postgres fails over to an asynchronous standby that lacks the last commits",
    topologies: ["single"],
    postgres: "replicated",
    unable: whyNot,
    async run(world) {
      const { system, scale, until, withCommands } = world;
      const postgres = replicatedOf(system);
      const seconds = scale.pick("A14.seconds", 8, 40);
      await withCommands(2, () => sleep(3_000));
      // What REST promised of commands is Postgres's alone: the last one has ended, and the standby knows it.
      await commandsEnded(world);
      await until("the standby is there", async () => (await lagBytes(system)) < 1_000_000, 60_000);
      const closesBefore = closesIn(await world.fleet.stats());
      await postgres.cutStandby();
      await sleep(seconds * 1_000);
      const before = await counted(system);
      const startedAtMs = performance.now();
      const { missingBytes } = await postgres.failOver();
      const tookMs = performance.now() - startedAtMs;
      const after = await counted(system);
      const breaches = await brokenPromises(system, before);
      await withCommands(2, () => sleep(3_000));
      const closed = closesIn(await world.fleet.stats()) - closesBefore;
      return {
        scaled: `${seconds} s of commits`,
        breaches: [...breaches, ...(closed > 0 ? [`${closed} connections were closed`] : [])],
        notes: [
          `the standby lacked ${Math.round(missingBytes / 1_024)} KiB of log: ${before.frames - after.frames} messages, ${before.sessions - after.sessions} sessions; answered after ${Math.round(tookMs)} ms`,
          `transaction ids: ${before.lastId} was the last before, ${after.lastId} is behind the failover`,
        ],
      };
    },
  },
  {
    id: "E21",
    title: "all of Postgres is lost, and restored from a base backup and the archived log",
    topologies: ["single"],
    postgres: "replicated",
    unable: whyNot,
    async run(world) {
      const { system, scale, withCommands } = world;
      const postgres = replicatedOf(system);
      const seconds = scale.pick("E21.seconds", 8, 120);
      await withCommands(2, () => sleep(3_000));
      await commandsEnded(world);
      const backup = await postgres.takeBaseBackup();
      await sleep(seconds * 1_000);
      const before = await counted(system);
      const destroyedAt = Date.now();
      await postgres.restore(backup);
      const restoredMs = Date.now() - destroyedAt;
      const after = await counted(system);
      const breaches = await brokenPromises(system, before);
      await withCommands(2, () => sleep(3_000));
      return {
        scaled: `${seconds} s behind the backup`,
        breaches,
        notes: [
          `the archive ended ${((destroyedAt - after.lastCommitAtMs) / 1_000).toFixed(1)} s before the loss: ${before.frames - after.frames} messages, ${before.sessions - after.sessions} sessions were missing; restored in ${Math.round(restoredMs)} ms`,
        ],
      };
    },
  },
];

async function whyNot({ system }: World): Promise<string | undefined> {
  const { replicated } = system;
  return replicated !== undefined && "reason" in replicated ? replicated.reason : undefined;
}

function replicatedOf({ replicated }: FaultySystem): ReplicatedPostgres {
  if (replicated === undefined || "reason" in replicated) throw new Error("this system's Postgres has no standby");
  return replicated;
}

const closesIn = ({ closes }: { closes: Record<string, number> }) =>
  Object.values(closes).reduce((sum, count) => sum + count, 0);

/** No command is open, and what ended them is known to whoever follows the log. */
async function commandsEnded({ system, until }: World): Promise<void> {
  const open = async () =>
    (await system.sql("select 1 from commands where final_at is null and deliver <> 'when_connected' limit 1")).length >
    0;
  await until("no command is open", async () => !(await open()), 60_000);
  await system.sql("select pg_switch_wal()");
  // The archive takes a segment some seconds after it was closed.
  await sleep(2_000);
}

async function lagBytes({ sql }: FaultySystem): Promise<number> {
  const [row] = await sql<{ lag: string }>(
    "select pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::text as lag from pg_stat_replication",
  );
  return Number(row?.lag ?? Infinity);
}

interface Counted {
  frames: number;
  sessions: number;
  lastId: number;
  lastCommitAtMs: number;
}

/** What Postgres has now. Right behind a failover: what it came back with, and a moment's work. */
async function counted({ sql }: FaultySystem): Promise<Counted> {
  const [row] = await sql<{ frames: string; sessions: string; last: string; at: Date | null }>(
    `select (select count(*) from message_log) as frames, (select count(*) from transactions) as sessions,
            (select last_value from ocpp16_transaction_ids) as last, pg_last_xact_replay_timestamp() as at`,
  );
  return {
    frames: Number(row?.frames),
    sessions: Number(row?.sessions),
    lastId: Number(row?.last),
    lastCommitAtMs: row?.at?.getTime() ?? Number.NaN,
  };
}

/** Once the lanes are applied again. What stations were told is compared by the conductor. */
async function brokenPromises(system: FaultySystem, before: Counted): Promise<string[]> {
  const breaches: string[] = [];
  const restoredFrames = async () => (await counted(system)).frames >= before.frames;
  for (const deadline = Date.now() + 60_000; !(await restoredFrames()); await sleep(500))
    if (Date.now() > deadline) {
      breaches.push("a minute later there are fewer messages on record than before");
      break;
    }
  const [given] = await system.sql<{ twice: string; last: string }>(
    `select (select count(*) from (select 1 from transactions where ocpp_version = '1.6' group by transaction_id having count(*) > 1) twice) as twice,
            next_ocpp16_transaction_id(0) as last`,
  );
  if (Number(given?.twice) > 0) breaches.push(`${given?.twice} transaction ids were given twice`);
  if (Number(given?.last) <= before.lastId)
    breaches.push(`transaction id ${given?.last} is drawn, and ${before.lastId} was given already`);
  return breaches;
}
