import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { Sql } from "../../database.ts";
import { listGaps } from "../lane-gaps.ts";
import { type LaneOverview, type LaneStatus, overviewLanes } from "../lane-overview.ts";
import { overviewNodes } from "../node-overview.ts";
import { type Check, Findings } from "./finding.ts";

interface LaneDeps {
  sql: Sql;
  redis: RedisConnection;
}

/** More than an intake that is started anew needs. */
const FAR_BEHIND_MS = 300_000;

const PROBLEMS: Partial<Record<LaneStatus, { remedy: string; runbook: string }>> = {
  unheld: {
    remedy: "Start an intake process, or find in its log why it does not take the lane.",
    runbook: "lane-unheld",
  },
  unreadable: {
    remedy: "Run an intake of the newer release: it comes before the gateways (docs/upgrading.md).",
    runbook: "lane-stuck",
  },
  lost: { remedy: "See `cli lanes gaps` for what was in it, and find out why Redis lost it.", runbook: "lane-gap" },
  unreachable: { remedy: "Bring the Redis master of the lane back.", runbook: "redis-away" },
};

/** The lanes: whether somebody drains each, how far, and what they lost. */
export function lanesCheck(deps: LaneDeps): Check {
  return {
    name: "lanes",
    runbook: "lane-unheld",
    async run() {
      const say = new Findings("lanes");
      const lanes = await overviewLanes(deps);
      for (const lane of lanes) judgeLane(say, lane);
      if (say.all.length === 0) {
        const waiting = lanes.reduce((sum, lane) => sum + lane.waitingEntries, 0);
        say.ok(`${lanes.length} lanes, ${waiting} entries wait to be applied`);
      }
      const gaps = await listGaps(deps.sql, { all: false, limit: 100 });
      if (gaps.length > 0)
        say.problem(
          `${gaps.length === 100 ? "100 or more" : gaps.length} gaps: answered messages were lost`,
          "`cli lanes gaps` names them; once they are seen to: `cli lanes acknowledge-gaps`.",
          "lane-gap",
        );
      return say.all;
    },
  };
}

function judgeLane(say: Findings, lane: LaneOverview): void {
  const seen = `${lane.laneId}: ${lane.status}, ${lane.note ?? ""}`;
  const problem = PROBLEMS[lane.status];
  if (problem !== undefined) say.problem(seen, problem.remedy, problem.runbook);
  else if (lane.status === "behind") {
    const remedy = "See whether the intake works, and whether Postgres is what it waits for.";
    if (lane.oldestWaitingMs > FAR_BEHIND_MS) say.problem(seen, remedy, "lane-lag");
    else say.warning(seen, remedy, "lane-lag");
  } else if (lane.status === "stuck") say.warning(seen, "`cli nodes list` shows whether its node lives.", "lane-stuck");
}

/** The gateways, by their leases. */
export function nodesCheck(deps: LaneDeps): Check {
  return {
    name: "gateways",
    runbook: "process-not-ready",
    async run() {
      const say = new Findings("gateways");
      const nodes = await overviewNodes(deps);
      const living = nodes.filter(({ lives }) => lives);
      const connections = living.reduce((sum, node) => sum + node.connections, 0);
      if (living.length === 0)
        say.problem(
          "none holds its lease: no charge point can connect",
          "Start a gateway, or find in its log why it is not ready.",
          "process-not-ready",
        );
      else say.ok(`${living.length} hold their lease, ${connections} connections`);
      for (const { nodeId, connections: open } of nodes.filter((node) => !node.lives))
        say.warning(
          `${nodeId} is gone, and ${open} of its connections are open on record`,
          "They end when its lane is drained; if they stay, see `cli lanes list`.",
          "lane-stuck",
        );
      return say.all;
    },
  };
}
