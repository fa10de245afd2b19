import type { Environment } from "@dynamo-csms/proto/process/environment";
import { ConfigReader } from "../../config-reader.ts";
import { sqlOn } from "../../database.ts";
import { isoMillis } from "../../http/iso-time.ts";
import { acknowledgeGaps, listGaps } from "../../operations/lane-gaps.ts";
import { overviewLanes } from "../../operations/lane-overview.ts";
import { overviewNodes } from "../../operations/node-overview.ts";
import { CliMistake, required } from "./cli-mistake.ts";
import { actor } from "./dead-letters.ts";
import { withServers } from "./with-servers.ts";

interface Flags {
  all?: boolean | undefined;
  lane?: string | undefined;
  why?: string | undefined;
}
type ReadFile = (path: string) => string;

/** Finished lanes, and gaps, that are shown at most. */
const MANY = 1_000;

const readShared = (env: Environment, readFile: ReadFile) => {
  const read = new ConfigReader(env, readFile);
  return read.finish(read.shared());
};

/** Prints the lanes and how far each is applied, one JSON object per line. */
export async function listLanes(flags: Flags, env: Environment, readFile: ReadFile): Promise<void> {
  await withServers(readShared(env, readFile), async ({ pool, redis }) => {
    const lanes = await overviewLanes({ sql: sqlOn(pool), redis }, { finished: flags.all === true ? MANY : 0 });
    for (const lane of lanes)
      console.log(
        JSON.stringify({
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
        }),
      );
  });
}

/** Prints the entries that lanes lost, newest first, one JSON object per run. */
export async function listLaneGaps(flags: Flags, env: Environment, readFile: ReadFile): Promise<void> {
  await withServers(readShared(env, readFile), async ({ pool }) => {
    for (const gap of await listGaps(sqlOn(pool), { all: flags.all === true, limit: MANY }))
      console.log(
        JSON.stringify({
          lane_id: gap.laneId,
          node_id: gap.nodeId,
          from_entry: gap.fromEntry,
          to_entry: gap.toEntry,
          noticed_at: isoMillis(gap.noticedAt),
          acknowledged_at: gap.acknowledgedAt && isoMillis(gap.acknowledgedAt),
          acknowledged_by: gap.acknowledgedBy,
          note: gap.note,
        }),
      );
  });
}

/** Notes that somebody has seen to a lane's gaps: doctor and the alert are silent about them from then on. */
export async function acknowledgeLaneGaps(flags: Flags, env: Environment, readFile: ReadFile): Promise<void> {
  const laneId = required(flags.lane, "lane");
  const note = required(flags.why, "why");
  await withServers(readShared(env, readFile), async ({ pool }) => {
    const acknowledged = await acknowledgeGaps(sqlOn(pool), laneId, { by: actor(), note });
    if (acknowledged === 0) throw new CliMistake(`the lane ${laneId} has no open gap`);
    console.log(JSON.stringify({ lane_id: laneId, acknowledged }));
  });
}

/** Prints the gateway nodes that live, and those whose connections are still open on record, one JSON object per line. */
export async function listNodes(_flags: object, env: Environment, readFile: ReadFile): Promise<void> {
  await withServers(readShared(env, readFile), async ({ pool, redis }) => {
    for (const node of await overviewNodes({ sql: sqlOn(pool), redis }))
      console.log(
        JSON.stringify({
          node_id: node.nodeId,
          lives: node.lives,
          lane_id: node.laneId,
          started_at: node.startedAt && isoMillis(node.startedAt),
          connections: node.connections,
        }),
      );
  });
}
