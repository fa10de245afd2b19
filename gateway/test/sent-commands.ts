import {
  COMMAND_FORMAT,
  decodeCommandReport,
  encodeNodeMessage,
  type CommandMessage,
  type CommandOutcome,
  type CommandReport,
} from "@dynamo-csms/proto/command-message";
import { askerReports, nodeCommands } from "@dynamo-csms/proto/redis-keys";
import { Redis } from "ioredis";
import type { GatewayProcess } from "./gateway-process.ts";
import type { RegisteredStation, World } from "./world.ts";

/** Commands as the control plane publishes them, and what comes back on its channel. */
export interface SentCommands {
  /** Publishes one for the connection that the station has now, unless another epoch is given. Resolves to its epoch. */
  send(
    gateway: GatewayProcess,
    station: RegisteredStation,
    command: Pick<CommandMessage, "commandId"> & Partial<CommandMessage>,
  ): Promise<number>;
  kinds(commandId: string): CommandReport["kind"][];
  /** All that were told: one each, if all is well. */
  outcomes(commandId: string): CommandOutcome[];
  stop(): void;
}

export async function startSentCommands(world: World): Promise<SentCommands> {
  const askerId = `asker-${process.pid}-${Math.random()}`;
  const reports: CommandReport[] = [];
  const ear = new Redis(process.env["TEST_REDIS_URL"] ?? "", { protocol: 2 });
  ear.on("smessage", (_channel: string, text: string) => {
    const report = decodeCommandReport(text);
    if (report.ok) reports.push(report.value);
  });
  await ear.ssubscribe(askerReports(askerId));
  return {
    async send(gateway, station, command) {
      const epoch = command.epoch ?? Number((await world.owner(station.identity)).epoch);
      const message: CommandMessage = {
        v: COMMAND_FORMAT,
        kind: "command",
        identity: station.identity,
        version: "1.6",
        action: "ClearCache",
        payload: "{}",
        callTimeoutMs: 30_000,
        deadlineAtMs: Date.now() + 60_000,
        askerId,
        ...command,
        epoch,
      };
      await world.redis.spublish(nodeCommands(gateway.nodeId), encodeNodeMessage(message));
      return epoch;
    },
    kinds: (commandId) => reports.filter((report) => report.commandId === commandId).map(({ kind }) => kind),
    outcomes: (commandId) =>
      reports.flatMap((report) =>
        report.commandId === commandId && report.kind === "outcome" ? [report.outcome] : [],
      ),
    stop: () => ear.disconnect(),
  };
}
