import { sqlOn } from "../../database.ts";
import { isoMillis } from "../../http/iso-time.ts";
import { acknowledgeGaps, listGaps } from "../../operations/lane-gaps.ts";
import { type LaneOverview, overviewLanes } from "../../operations/lane-overview.ts";
import { replayLane } from "../../operations/replay-lane.ts";
import { type CommandIo, defineCommand } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { actor } from "./dead-letters.ts";
import { onPostgres, readShared, withServers } from "./with-servers.ts";

/** Finished lanes, and gaps, that are shown at most. */
const MANY = 1_000;
/** An entry's place: a lane has one writer, which counts. */
const ENTRY = /^\d{1,15}-0$/;

/** Prints the lanes and how far each is applied. */
async function listLanes({ all }: { all: boolean | undefined }, io: CommandIo): Promise<void> {
  await withServers(readShared(io), async ({ pool, redis }) => {
    for (const lane of await overviewLanes({ sql: sqlOn(pool), redis }, { finished: all === true ? MANY : 0 }))
      io.print({
        lane_id: lane.laneId,
        status: lane.status,
        node_id: lane.nodeId,
        node_lives: lane.nodeLives,
        leased: lane.leased,
        sealed: lane.sealed,
        offset: lane.offset,
        last_entry: lane.lastEntry,
        waiting_entries: lane.waitingEntries,
        oldest_waiting_seconds: lane.oldestWaitingMs / 1_000,
        holder: lane.holder,
        moved_at: isoMillis(lane.movedAt),
        finished_at: lane.finishedAt && isoMillis(lane.finishedAt),
        note: lane.note,
      });
  });
}

/** Prints what waits to be applied, the longest first. With a limit, what waits longer is exit code 1. */
async function showLag({ "max-seconds": limit }: { "max-seconds": string | undefined }, io: CommandIo): Promise<void> {
  if (limit !== undefined && !/^\d{1,6}$/.test(limit)) throw new CliMistake("--max-seconds: want a whole number");
  await withServers(readShared(io), async ({ pool, redis }) => {
    const lanes = await overviewLanes({ sql: sqlOn(pool), redis });
    for (const lane of lanes.toSorted((a, b) => b.oldestWaitingMs - a.oldestWaitingMs))
      io.print({
        lane_id: lane.laneId,
        status: lane.status,
        waiting_entries: lane.waitingEntries,
        oldest_waiting_seconds: lane.oldestWaitingMs / 1_000,
        holder: lane.holder,
      });
    const limitMs = limit === undefined ? Infinity : Number(limit) * 1_000;
    // What cannot be seen is no good news.
    const bad = (lane: LaneOverview) => lane.oldestWaitingMs > limitMs || lane.status === "unreachable";
    if (lanes.some(bad)) io.fail();
  });
}

/** Prints the entries that lanes lost, newest first. */
async function listLaneGaps({ all }: { all: boolean | undefined }, io: CommandIo): Promise<void> {
  await onPostgres(io, async (pool) => {
    for (const gap of await listGaps(sqlOn(pool), { all: all === true, limit: MANY }))
      io.print({
        lane_id: gap.laneId,
        node_id: gap.nodeId,
        from_entry: gap.fromEntry,
        to_entry: gap.toEntry,
        noticed_at: isoMillis(gap.noticedAt),
        acknowledged_at: gap.acknowledgedAt && isoMillis(gap.acknowledgedAt),
        acknowledged_by: gap.acknowledgedBy,
        note: gap.note,
      });
  });
}

/** Notes that somebody has seen to a lane's gaps: doctor and the alert are silent about them from then on. */
async function acknowledgeLaneGaps({ lane, why }: { lane: string; why: string }, io: CommandIo): Promise<void> {
  await onPostgres(io, async (pool) => {
    const acknowledged = await acknowledgeGaps(sqlOn(pool), lane, { by: actor(), note: why });
    if (acknowledged === 0)
      throw new CliMistake(`the lane ${lane} has no open gap: \`lanes gaps\` shows those there are`);
    io.print({ lane_id: lane, acknowledged });
  });
}

/** Lets the intake apply once more what Redis still has of a lane. */
async function replay({ lane, from }: { lane: string; from: string | undefined }, io: CommandIo): Promise<void> {
  if (from !== undefined && !ENTRY.test(from)) throw new CliMistake("--from: want an entry such as 1200-0");
  await withServers(readShared(io), async ({ pool, redis }) => {
    const outcome = await replayLane({ sql: sqlOn(pool), redis }, lane, from);
    if (!outcome.ok) throw new CliMistake(outcome.error);
    const { firstEntry, entries, formerOffset } = outcome.value;
    io.print({ lane_id: lane, from_entry: firstEntry, entries, former_offset: formerOffset });
  });
}

const LANE = { value: "LANE_ID", required: true, help: "as `lanes list` has it" } as const;

/** Lanes: what gateways have written, and how far it is applied. */
export const laneCommands = [
  defineCommand({
    name: "lanes list",
    summary: "Prints the lanes and how far each is applied.",
    flags: { all: { help: "the finished ones too" } },
    examples: ["lanes list"],
    columns: ["lane_id", "status", "offset", "last_entry", "waiting_entries", "oldest_waiting_seconds", "holder"],
    reads: true,
    run: listLanes,
  }),
  defineCommand({
    name: "lanes lag",
    summary: "Prints what waits to be applied, the longest first.",
    more: "With --max-seconds the exit code is 1 when something has waited for longer: for scripts.",
    flags: { "max-seconds": { value: "N", help: "how long a message may wait" } },
    examples: ["lanes lag", "lanes lag --max-seconds 60"],
    columns: ["lane_id", "status", "waiting_entries", "oldest_waiting_seconds", "holder"],
    reads: true,
    run: showLag,
  }),
  defineCommand({
    name: "lanes gaps",
    summary: "Prints the entries that lanes lost.",
    flags: { all: { help: "those that were acknowledged too" } },
    examples: ["lanes gaps"],
    columns: ["lane_id", "from_entry", "to_entry", "noticed_at", "acknowledged_at", "note"],
    reads: true,
    run: listLaneGaps,
  }),
  defineCommand({
    name: "lanes acknowledge-gaps",
    summary: "Notes that somebody has seen to a lane's gaps.",
    flags: { lane: LANE, why: { value: "TEXT", required: true, help: "for whoever asks later" } },
    examples: [`lanes acknowledge-gaps --lane gateway-1-mabc123-0a1b2c3d --why "units of that hour compared by hand"`],
    run: acknowledgeLaneGaps,
  }),
  defineCommand({
    name: "lanes replay",
    summary: "Lets the intake apply once more what Redis still has of a lane.",
    more: "Each message has its effect once, however often it is applied. Redis keeps what was applied for REPLAY_WINDOW.",
    flags: { lane: LANE, from: { value: "ENTRY", help: "the first entry; what Redis still has, if nothing is said" } },
    examples: ["lanes replay --lane gateway-1-mabc123-0a1b2c3d"],
    run: replay,
  }),
];
