import { type CloseMessage, COMMAND_FORMAT, encodeNodeMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands, nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Cluster, Redis } from "ioredis";

/**
 * Tells the node that holds the station's socket to close it, because its access was revoked, or an operator asks for it.
 * @returns "done" when the node heard it or nobody holds the socket; "unheard" when the node lives and does not listen
 * just now; "node-gone" when its lease is gone too: dead, and its sockets with it, or cut off from Redis for a while.
 * Rejects when Redis is away.
 */
export async function closeSocket(
  redis: Redis | Cluster,
  identity: StationIdentity,
  reason: "revoked" | "operator" = "revoked",
): Promise<"done" | "unheard" | "node-gone"> {
  const [nodeId, epoch] = await redis.hmget(stationOwner(identity), "node", "epoch");
  if (!nodeId || !epoch) return "done";
  const message: CloseMessage = {
    v: COMMAND_FORMAT,
    kind: "close",
    identity,
    belowEpoch: Number(epoch) + 1,
    reason,
  };
  if (Number(await redis.spublish(nodeCommands(nodeId), encodeNodeMessage(message))) > 0) return "done";
  return (await redis.exists(nodeLease(nodeId))) === 1 ? "unheard" : "node-gone";
}
