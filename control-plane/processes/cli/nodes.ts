import { COMMAND_FORMAT, encodeNodeMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands, nodeLease } from "@dynamo-csms/proto/redis-keys";
import { sqlOn } from "../../database.ts";
import { isoMillis } from "../../http/iso-time.ts";
import { pause } from "../../jobs/pause.ts";
import { overviewNodes } from "../../operations/node-overview.ts";
import { type CommandIo, defineCommand } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { readShared, withServers } from "./with-servers.ts";

const LOOK_MS = 500;
const DEFAULT_WAIT_SECONDS = 120;

/** Prints the gateway nodes that live, and those whose connections are still open on record. */
async function listNodes(_flags: object, io: CommandIo): Promise<void> {
  await withServers(readShared(io), async ({ pool, redis }) => {
    for (const node of await overviewNodes({ sql: sqlOn(pool), redis }))
      io.print({
        node_id: node.nodeId,
        lives: node.lives,
        lane_id: node.laneId,
        started_at: node.startedAt && isoMillis(node.startedAt),
        connections: node.connections,
      });
  });
}

/** Has a gateway end in order, as SIGTERM would, and waits until it has. */
async function drainNode(
  { node, "wait-seconds": wait }: { node: string; "wait-seconds": string | undefined },
  io: CommandIo,
): Promise<void> {
  const seconds = wait === undefined ? DEFAULT_WAIT_SECONDS : /^\d{1,5}$/.test(wait) ? Number(wait) : NaN;
  if (Number.isNaN(seconds)) throw new CliMistake("--wait-seconds: want a whole number; 0 does not wait");
  await withServers(readShared(io), async ({ pool, redis }) => {
    const lease = await redis.get(nodeLease(node));
    if (lease === null) throw new CliMistake(`no gateway ${node} lives: \`nodes list\` shows those that do`);
    const others = (await overviewNodes({ sql: sqlOn(pool), redis })).filter((one) => one.lives && one.nodeId !== node);
    if (others.length === 0)
      io.note(`no other gateway lives: the charge points of ${node} have nowhere to go until one is started`);
    const message = encodeNodeMessage({ v: COMMAND_FORMAT, kind: "drain" });
    if (Number(await redis.spublish(nodeCommands(node), message)) === 0)
      throw new CliMistake(`${node} lives and does not listen just now: try again, or send its process SIGTERM`);
    const until = performance.now() + seconds * 1_000;
    let drained = false;
    while (!drained && performance.now() < until && !io.signal.aborted) {
      await pause(LOOK_MS, io.signal);
      // A name may come back with its successor.
      drained = (await redis.get(nodeLease(node))) !== lease;
    }
    io.print({ node_id: node, status: drained ? "drained" : "draining" });
    if (drained || seconds === 0) return;
    io.note(
      `${node} still drains. It ends when its DRAIN_DEADLINE_MS and SHUTDOWN_DEADLINE_MS have passed; its log says how far it is`,
    );
    io.fail();
  });
}

/** Gateways. */
export const gatewayCommands = [
  defineCommand({
    name: "nodes list",
    summary: "Prints the gateway nodes and their connections.",
    flags: {},
    examples: ["nodes list"],
    columns: ["node_id", "lives", "connections", "started_at", "lane_id"],
    reads: true,
    run: listNodes,
  }),
  defineCommand({
    name: "nodes drain",
    summary: "Has a gateway end in order: no newcomers, its connections closed in waves, its lane sealed.",
    more: "As SIGTERM does; what runs it (Kubernetes, systemd, Compose) starts a new one. Exit code 1 when it is not done in time.",
    flags: {
      node: { value: "NODE_ID", required: true, help: "as `nodes list` has it" },
      "wait-seconds": { value: "N", help: `how long it is waited for; ${DEFAULT_WAIT_SECONDS}, if nothing is said` },
    },
    examples: ["nodes drain --node gateway-1-0a1b2c3d"],
    run: drainNode,
  }),
];
