import {
  COMMAND_FORMAT,
  decodeNodeMessage,
  encodeCommandReport,
  type CommandMessage,
  type CommandOutcome,
  type CommandReport,
} from "@dynamo-csms/proto/command-message";
import { askerReports, LEASE_MS, nodeCommands, nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { Redis } from "ioredis";

/** What the station behind the gateway does with a CALL: an outcome, or nothing for ever. */
export type Answer = (command: CommandMessage) => CommandOutcome | undefined | Promise<CommandOutcome | undefined>;

export interface FakeGateway {
  nodeId: string;
  /** CALLs that went to stations: each command id once, as the real gateway has it. */
  sent: CommandMessage[];
  /** Messages that came on the node channel, repetitions too. */
  heard: CommandMessage[];
  /** Takes the station over with a new epoch. @returns the epoch. */
  hold(identity: StationIdentity): Promise<number>;
  /** Forgets the station, as when its socket closes without a new owner. */
  letGo(identity: StationIdentity): Promise<void>;
  /** The socket is gone, and the owner hash does not know it yet. */
  loseSocket(identity: StationIdentity): void;
  /** Takes commands and ends them unsent, with this reason. */
  unwilling: string | undefined;
  /** Hears commands but acknowledges nothing from now on: its reports are lost. */
  muted: boolean;
  /** As a crash: the connections end, the owner hash and the lease stay. */
  crash(): void;
  stop(): Promise<void>;
}

/** The gateway's side of the channels on a real Redis, without sockets: what it does with a command is the test's choice. */
export async function startFakeGateway(redisUrl: string, nodeId: string, answer: Answer): Promise<FakeGateway> {
  const redis = new Redis(redisUrl, { protocol: 2 });
  const subscriber = new Redis(redisUrl, { protocol: 2 });
  const held = new Map<string, number>();
  const known = new Map<string, CommandOutcome | undefined>();
  let answers = 0;
  const gateway: FakeGateway = {
    nodeId,
    sent: [],
    heard: [],
    unwilling: undefined,
    muted: false,
    async hold(identity) {
      const epoch = Date.now();
      held.set(identity, epoch);
      await redis.hset(stationOwner(identity), { node: nodeId, epoch });
      await redis.set(nodeLease(nodeId), "{}", "PX", LEASE_MS * 6);
      return epoch;
    },
    async letGo(identity) {
      held.delete(identity);
      await redis.hdel(stationOwner(identity), "node");
    },
    loseSocket(identity) {
      held.delete(identity);
    },
    crash() {
      subscriber.disconnect();
      redis.disconnect();
    },
    async stop() {
      subscriber.disconnect();
      if (redis.status === "ready") await redis.del(nodeLease(nodeId));
      redis.disconnect();
    },
  };

  function report(
    command: CommandMessage,
    body:
      | { kind: "received" | "notHere" }
      | { kind: "sent"; sentAtMs: number }
      | { kind: "outcome"; outcome: CommandOutcome },
  ): void {
    if (gateway.muted) return;
    const text = encodeCommandReport({
      v: COMMAND_FORMAT,
      commandId: command.commandId,
      nodeId,
      epoch: command.epoch,
      ...body,
    } as CommandReport);
    void redis.spublish(askerReports(command.askerId), text).catch(() => {});
  }

  async function onCommand(command: CommandMessage): Promise<void> {
    gateway.heard.push(command);
    if (!known.has(command.commandId) && held.get(command.identity) !== command.epoch)
      return report(command, { kind: "notHere" });
    report(command, { kind: "received" });
    if (known.has(command.commandId)) {
      const outcome = known.get(command.commandId);
      if (outcome !== undefined) report(command, { kind: "outcome", outcome });
      return;
    }
    known.set(command.commandId, undefined);
    if (gateway.unwilling !== undefined)
      return report(command, { kind: "outcome", outcome: { state: "not_connected", reason: gateway.unwilling } });
    gateway.sent.push(command);
    const sentAtMs = Date.now();
    report(command, { kind: "sent", sentAtMs });
    const outcome = await answer(command);
    if (outcome === undefined) return;
    const answeredAs = { epoch: command.epoch, seq: (answers += 1) };
    const whole = { sentAtMs, answeredAtMs: Date.now(), answeredAs, ...outcome };
    known.set(command.commandId, whole);
    report(command, { kind: "outcome", outcome: whole });
  }

  subscriber.on("smessage", (_channel: string, text: string) => {
    const message = decodeNodeMessage(text);
    if (message.ok && message.value.kind === "command") void onCommand(message.value);
  });
  await subscriber.ssubscribe(nodeCommands(nodeId));
  return gateway;
}
