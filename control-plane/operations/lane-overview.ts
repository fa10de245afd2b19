import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { lane, LANES, laneLease, nodeLease } from "@dynamo-csms/proto/redis-keys";
import { decodeEntry, ENTRY_FIELD, UnknownEntryFormat } from "@dynamo-csms/proto/stream-entry";
import type { Sql } from "../database.ts";
import { describeFault } from "../fault-kind.ts";
import { numberOf } from "../intake/entry-id.ts";

/**
 * - written: its gateway lives, and what it wrote is applied, or about to be
 * - behind: entries have waited longer than BEHIND_MS
 * - unheld: entries wait, and no intake process drains it
 * - unreadable: the next entry has a format that this build does not know
 * - ending: drained and without a writer; the intake removes it after the replay window
 * - stuck: drained and without a writer for longer than that takes
 * - lost: Redis has no such stream, and its offset says that there was one
 * - unreachable: its master does not answer
 */
export type LaneStatus =
  | "written"
  | "behind"
  | "unheld"
  | "unreadable"
  | "ending"
  | "stuck"
  | "lost"
  | "unreachable"
  | "finished";

/** A lane, from both sides: what Redis has, and how far Postgres is. */
export interface LaneOverview {
  laneId: string;
  nodeId: string;
  status: LaneStatus;
  /** Entry id up to which everything is applied. */
  offset: string;
  /** Id of the last entry that was ever written; null: there is no stream, or it could not be asked. */
  lastEntry: string | null;
  waitingEntries: number;
  /** Age of the oldest frame that waits, ms; 0: none does, or its entry cannot be read. */
  oldestWaitingMs: number;
  /** The intake process that drains it now. */
  holder: string | null;
  /** Its writer said that nothing follows. */
  sealed: boolean;
  /** Its writer renews its lease. */
  leased: boolean;
  /** Its node lives, perhaps with another lane. */
  nodeLives: boolean;
  movedAt: Date;
  finishedAt: Date | null;
  /** What the status means here, where it is no good one. */
  note: string | null;
}

/** Longer than a batch, a pause and the change of an intake take. */
const BEHIND_MS = 30_000;
/** A replay window (an hour at most, a minute by default), leases and looks. */
const ENDING_MS = 3_700_000;

interface LaneRow {
  id: string;
  node_id: string;
  offset: string;
  sealed: boolean;
  holder: string | null;
  moved_at: Date;
  finished_at: Date | null;
}

interface InRedis {
  lastEntry: string | null;
  firstWaiting: Buffer | undefined;
  leased: boolean;
  nodeLives: boolean;
}

/**
 * The lanes that are not finished, oldest first, and those that Redis registers and no intake has seen yet. A lane whose master
 * does not answer is shown as such; rejects when Postgres does not answer.
 * @param options.finished how many of the finished ones are wanted beside, newest first
 */
export async function overviewLanes(
  { sql, redis }: { sql: Sql; redis: RedisConnection },
  { finished = 0, nowMs = Date.now() }: { finished?: number; nowMs?: number } = {},
): Promise<LaneOverview[]> {
  const columns = `id, node_id, "offset", sealed, case when held_until > now() then holder end as holder, moved_at, finished_at, first_seen_at`;
  const rows = await sql.query<LaneRow>(
    `(select ${columns} from lanes where finished_at is null order by first_seen_at, id)
     union all (select ${columns} from lanes where finished_at is not null order by finished_at desc limit $1)`,
    [finished],
  );
  const known = new Set(rows.map(({ id }) => id));
  const registered = await redis.hgetall(LANES).catch(() => ({}));
  const unseen = Object.entries(registered).flatMap(([id, text]): LaneRow[] =>
    known.has(id)
      ? []
      : [
          {
            id,
            node_id: nodeIdIn(text),
            offset: "0-0",
            sealed: false,
            holder: null,
            moved_at: new Date(nowMs),
            finished_at: null,
          },
        ],
  );
  // Finished ones that the registry still names are neither: finished lanes are only shown when they are asked for.
  const over = await sql.query<{ id: string }>(
    `select id from lanes where id = any($1::text[]) and finished_at is not null`,
    [unseen.map(({ id }) => id)],
  );
  const gone = new Set(over.map(({ id }) => id));
  const shown = [...rows, ...unseen.filter(({ id }) => !gone.has(id))];
  return Promise.all(shown.map((row) => overviewOf(row, redis, nowMs)));
}

async function overviewOf(row: LaneRow, redis: RedisConnection, nowMs: number): Promise<LaneOverview> {
  const base = {
    laneId: row.id,
    nodeId: row.node_id,
    offset: row.offset,
    holder: row.holder,
    sealed: row.sealed,
    movedAt: row.moved_at,
    finishedAt: row.finished_at,
  };
  const nothing = { lastEntry: null, waitingEntries: 0, oldestWaitingMs: 0, leased: false, nodeLives: false };
  if (row.finished_at !== null) return { ...base, ...nothing, status: "finished", note: null };
  let found: InRedis;
  try {
    found = await lookAt(row, redis);
  } catch (fault) {
    return { ...base, ...nothing, status: "unreachable", note: describeFault(fault) };
  }
  const { firstWaiting, ...facts } = found;
  const waitingEntries = facts.lastEntry === null ? 0 : Math.max(0, numberOf(facts.lastEntry) - numberOf(row.offset));
  const oldest = firstWaiting === undefined ? { readable: true } : receiptOf(firstWaiting);
  const oldestWaitingMs = oldest.receivedAtMs === undefined ? 0 : Math.max(0, nowMs - oldest.receivedAtMs);
  const state = { waitingEntries, oldestWaitingMs, readable: oldest.readable, nowMs };
  return { ...base, ...facts, waitingEntries, oldestWaitingMs, ...judge(row, facts, state) };
}

async function lookAt(row: LaneRow, redis: RedisConnection): Promise<InRedis> {
  const [leased, node] = await Promise.all([
    redis.exists(laneLease(row.id)),
    row.node_id === "" ? 0 : redis.exists(nodeLease(row.node_id)),
  ]);
  const lease = { leased: leased === 1, nodeLives: node === 1 };
  if ((await redis.exists(lane(row.id))) === 0) return { lastEntry: null, firstWaiting: undefined, ...lease };
  const info = (await redis.xinfo("STREAM", lane(row.id))) as unknown[];
  const lastEntry = String(info[info.indexOf("last-generated-id") + 1]);
  const [first] = (await redis.xrangeBuffer(lane(row.id), `(${row.offset}`, "+", "COUNT", 1)) as [Buffer, Buffer[]][];
  const field = first?.[1].findIndex((part) => part.toString() === ENTRY_FIELD) ?? -1;
  return { lastEntry, firstWaiting: field < 0 ? undefined : first?.[1][field + 1], ...lease };
}

/** When the entry's first frame was received. One that is damaged is no hindrance: the intake sets it aside. */
function receiptOf(entry: Buffer): { readable: boolean; receivedAtMs?: number | undefined } {
  try {
    return { readable: true, receivedAtMs: decodeEntry(entry)[0]?.receivedAtMs };
  } catch (fault) {
    return { readable: !(fault instanceof UnknownEntryFormat) };
  }
}

function judge(
  row: LaneRow,
  facts: { lastEntry: string | null; leased: boolean; nodeLives: boolean },
  state: { waitingEntries: number; oldestWaitingMs: number; readable: boolean; nowMs: number },
): { status: LaneStatus; note: string | null } {
  const { waitingEntries: waiting, oldestWaitingMs, readable, nowMs } = state;
  if (!readable)
    return {
      status: "unreadable",
      note: "its next entry has a format that this build does not know: an intake of the newer release reads it",
    };
  if (waiting > 0 && row.holder === null)
    return { status: "unheld", note: `${waiting} entries wait and no intake process drains it` };
  if (oldestWaitingMs > BEHIND_MS)
    return { status: "behind", note: `its oldest frame has waited for ${Math.round(oldestWaitingMs / 1_000)} s` };
  if (facts.leased && !row.sealed) return { status: "written", note: null };
  if (facts.lastEntry === null && row.offset !== "0-0")
    return { status: "lost", note: "Redis has lost the stream; the intake closes it once its writer's lease is gone" };
  const idleMs = nowMs - row.moved_at.getTime();
  if (waiting > 0) return { status: "written", note: null };
  if (idleMs < ENDING_MS)
    return {
      status: "ending",
      note: "its writer is gone and everything is applied: it is removed after REPLAY_WINDOW",
    };
  const why = facts.nodeLives
    ? "its node's lease stands: is the node running, and writing another lane?"
    : row.holder === null
      ? "no intake process holds it"
      : "the intake does not remove it: its log says why";
  return { status: "stuck", note: `applied and without a writer for ${Math.round(idleMs / 60_000)} min; ${why}` };
}

function nodeIdIn(text: unknown): string {
  try {
    const { nodeId } = JSON.parse(String(text)) as { nodeId?: unknown };
    return typeof nodeId === "string" ? nodeId : "";
  } catch {
    return "";
  }
}
