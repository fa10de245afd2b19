import { COMMAND_FORMAT, encodeNodeMessage, type RefreshMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Cluster, Redis } from "ioredis";

/**
 * Tells the node that holds the station's socket, if any does, that its record has changed. Nobody waits for it to be
 * heard: a record that the session does not have is read at the next connection. Rejects when Redis is away.
 */
export async function refreshSession(redis: Redis | Cluster, identity: StationIdentity): Promise<"done"> {
  const nodeId = await redis.hget(stationOwner(identity), "node");
  if (!nodeId) return "done";
  const message: RefreshMessage = { v: COMMAND_FORMAT, kind: "refresh", identity };
  await redis.spublish(nodeCommands(nodeId), encodeNodeMessage(message));
  return "done";
}
