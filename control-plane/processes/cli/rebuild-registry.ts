import { ConfigReader } from "../../config-reader.ts";
import { rebuildRegistry } from "../../stations/registry-outbox.ts";
import { type CommandIo, defineCommand } from "./cli-command.ts";
import { withServers } from "./with-servers.ts";

/** Stations per round: one statement in Postgres, and as many records in Redis. */
const PAGE = 1_000;

/**
 * Writes what the gateways have to know of each station into Redis again, from Postgres: after a Redis that lost its data,
 * or a Postgres that was restored to an earlier time. Safe to run at any time, and twice.
 */
async function rebuildStationRegistry(_flags: object, { env, readFile, print }: CommandIo): Promise<void> {
  const read = new ConfigReader(env, readFile);
  const config = read.finish({
    ...read.shared(),
    heartbeatIntervalSeconds: read.integer("HEARTBEAT_INTERVAL_SECONDS", 300, 1, 86_400),
  });
  await withServers(config, async ({ pool, redis }) => {
    const { heartbeatIntervalSeconds } = config;
    const stations = await rebuildRegistry({ pool, redis, heartbeatIntervalSeconds, pageSize: PAGE });
    print({ stations });
  });
}

/** After a Redis that lost its data. */
export const registryCommand = defineCommand({
  name: "registry rebuild",
  summary: "Writes all charge points into the gateways' registry in Redis again.",
  more: "After a Redis that lost its data or a Postgres that was restored; at any time, and twice.",
  flags: {},
  examples: ["registry rebuild"],
  run: rebuildStationRegistry,
});
