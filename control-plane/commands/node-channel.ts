import {
  decodeCommandReport,
  encodeNodeMessage,
  type CommandMessage,
  type CommandReport,
} from "@dynamo-csms/proto/command-message";
import { connectionReady, type RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { askerReports, nodeCommands } from "@dynamo-csms/proto/redis-keys";
import type { Logger } from "pino";

export interface NodeChannelDeps {
  /** This process among all that ask: gateways report to its channel. New per process start. */
  askerId: string;
  /** A "commands" connection, for publishing. */
  redis: RedisConnection;
  /** A "subscriber" connection, for this process alone. */
  subscriber: RedisConnection;
  log: Logger;
}

/** The way to the gateway nodes and back: commands out, reports in. Nothing on it is kept or repeated by Redis. */
export interface NodeChannel {
  askerId: string;
  /** Resolves when reports can come. */
  start(): Promise<void>;
  /** @returns how many gateways listen there: 0 means that it surely reached nobody. Throws when Redis did not answer: then it may have. */
  publish(nodeId: string, message: CommandMessage): Promise<number>;
  /** Calls back with every report on this command until the returned function is called. */
  onReports(commandId: string, listener: (report: CommandReport) => void): () => void;
  stop(): Promise<void>;
}

export function createNodeChannel({ askerId, redis, subscriber, log }: NodeChannelDeps): NodeChannel {
  const listeners = new Map<string, (report: CommandReport) => void>();
  const channel = askerReports(askerId);

  subscriber.on("smessage", (_channel: string, text: string) => {
    const report = decodeCommandReport(text);
    if (!report.ok) return log.warn({ reason: report.error }, "command report not understood");
    // Nobody waits any more: the lane brings the outcome to the row.
    listeners.get(report.value.commandId)?.(report.value);
  });

  return {
    askerId,
    async start() {
      await connectionReady(subscriber);
      await subscriber.ssubscribe(channel);
    },
    async publish(nodeId, message) {
      if (redis.status !== "ready") return 0;
      return Number(await redis.spublish(nodeCommands(nodeId), encodeNodeMessage(message)));
    },
    onReports(commandId, listener) {
      listeners.set(commandId, listener);
      return () => void listeners.delete(commandId);
    },
    async stop() {
      // Without Redis there is nothing to take back, and the command would wait for it.
      if (subscriber.status === "ready") await subscriber.sunsubscribe(channel).catch(() => {});
    },
  };
}
