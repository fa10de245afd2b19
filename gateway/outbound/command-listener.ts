// Journey 2 ends here: a command published to this node becomes a CALL on the connection it was meant for, and what
// becomes of it goes back on the asker's channel. Pub/sub has no replay, so the asker publishes again what nobody
// acknowledged; a command id is sent once, however often it comes.

import { isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import {
  COMMAND_FORMAT,
  decodeNodeMessage,
  encodeCommandReport,
  sealedPayloadContext,
  type CommandMessage,
  type CommandOutcome,
  type CommandReport,
} from "@dynamo-csms/proto/command-message";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { askerReports, nodeCommands } from "@dynamo-csms/proto/redis-keys";
import { unseal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Logger } from "pino";
import type { LivenessProbe } from "../ownership/liveness-probe.ts";
import type { Session } from "../sockets/session.ts";
import type { SessionRegistry } from "../sockets/session-registry.ts";
import type { OutgoingCall, OutgoingCalls } from "./outgoing-calls.ts";
import { SEEN_LIMITS, SeenCommands } from "./seen-commands.ts";

export interface CommandListenerDeps {
  nodeId: string;
  /** A connection of its own: it is in subscriber mode from `start` on. */
  subscriber: RedisConnection;
  publisher: RedisConnection;
  sessions: Pick<SessionRegistry, "get" | "supersede" | "revoke" | "disconnect">;
  outgoing: Pick<OutgoingCalls, "enqueue" | "refuse">;
  /** Reads the record of a station that is connected here again. Never rejects. */
  refreshRecord(identity: StationIdentity): Promise<void>;
  /** Answers other nodes, and gets their answers. */
  probe: Pick<LivenessProbe, "onProbe" | "onProbed">;
  /** Ends this process in order, as SIGTERM does. */
  drain(): void;
  /** Opens sealed payloads. */
  secretsKey: SecretsKey;
  log: Logger;
}

type ReportBody =
  | { kind: "received" }
  | { kind: "notHere" }
  | { kind: "sent"; sentAtMs: number }
  | { kind: "outcome"; outcome: CommandOutcome };

/** This node's ear for commands. */
export function createCommandListener(deps: CommandListenerDeps) {
  const { log, subscriber, sessions } = deps;
  const seen = new SeenCommands(SEEN_LIMITS, () => performance.now());

  function report(command: CommandMessage, body: ReportBody): void {
    const text = encodeCommandReport({
      v: COMMAND_FORMAT,
      commandId: command.commandId,
      nodeId: deps.nodeId,
      epoch: command.epoch,
      ...body,
    } as CommandReport);
    deps.publisher.spublish(askerReports(command.askerId), text).catch((cause: Error) => {
      // The lane has what counts; the asker asks again or hears it from the intake.
      log.warn({ commandId: command.commandId, kind: body.kind, error: cause.message }, "command report not published");
    });
  }

  function onCommand(command: CommandMessage): void {
    if (seen.has(command.commandId, command.epoch)) {
      report(command, { kind: "received" });
      const outcome = seen.outcome(command.commandId);
      if (outcome !== undefined) report(command, { kind: "outcome", outcome });
      return;
    }
    const session = sessions.get(command.identity);
    // Another epoch is another connection: whoever asked may not know yet that it asked for the past.
    if (session === undefined || session.epoch !== command.epoch || session.version !== command.version)
      return report(command, { kind: "notHere" });
    seen.add(command.commandId, command.epoch);
    let told = false;
    const tell = (body: ReportBody) => {
      told = true;
      report(command, body);
    };

    const payload = openPayload(command, deps.secretsKey);
    const call: OutgoingCall = {
      commandId: command.commandId,
      action: command.action,
      payload: payload ?? "{}",
      secretPaths: command.secretPaths ?? [],
      callTimeoutMs: command.callTimeoutMs,
      ...(command.traceparent === undefined ? {} : { traceparent: command.traceparent }),
      deadlineAtMs: command.validForMs === undefined ? command.deadlineAtMs : Date.now() + command.validForMs,
      onSent: (sentAtMs) => tell({ kind: "sent", sentAtMs }),
      onOutcome: (outcome) => {
        seen.ended(command.commandId, outcome);
        tell({ kind: "outcome", outcome });
      },
    };
    const problem =
      payload === undefined ? "its payload cannot be opened" : whyInvalid(session, command.action, payload);
    if (problem === undefined) {
      deps.outgoing.enqueue(session, call);
      // Whoever hears that it was sent, or how it ended, knows that it was received.
      if (!told) report(command, { kind: "received" });
      return;
    }
    log.error({ commandId: command.commandId, action: command.action, problem }, "command refused before sending");
    deps.outgoing.refuse(session, call, `refused by the gateway: ${problem}`);
  }

  function onMessage(text: string): void {
    const decoded = decodeNodeMessage(text);
    if (!decoded.ok) return log.error({ problem: decoded.error }, "message on the node channel not understood");
    const message = decoded.value;
    if (message.kind === "command") return onCommand(message);
    if (message.kind === "refresh") return void deps.refreshRecord(message.identity);
    if (message.kind === "probe") return void deps.probe.onProbe(message);
    if (message.kind === "probed") return deps.probe.onProbed(message);
    if (message.kind === "drain") return deps.drain();
    if (message.reason === "operator") return void sessions.disconnect(message.identity, message.belowEpoch);
    if (message.reason === "revoked") sessions.revoke(message.identity, message.belowEpoch);
    else sessions.supersede(message.identity, message.belowEpoch);
  }

  return {
    /** Resolves when this node's channel is subscribed; the client subscribes again by itself after a reconnect. */
    async start(): Promise<void> {
      subscriber.on("smessage", (_channel: string, text: string) => onMessage(text));
      await subscriber.ssubscribe(nodeCommands(deps.nodeId));
    },

    /** Hears nothing from now on. */
    async stop(): Promise<void> {
      await subscriber.sunsubscribe(nodeCommands(deps.nodeId));
    },
  };
}

/** JSON text of the payload, unsealed if need be. Undefined: sealed with another key, or none at all. */
function openPayload(command: CommandMessage, secretsKey: SecretsKey): string | undefined {
  if (command.payload !== undefined) return command.payload;
  if (command.sealedPayload === undefined) return undefined;
  try {
    return unseal(secretsKey, sealedPayloadContext(command.commandId), command.sealedPayload);
  } catch {
    return undefined;
  }
}

/** The control plane validated it, against its own release's schemas. Undefined: nothing is wrong. */
function whyInvalid(session: Session, action: string, payload: string): string | undefined {
  if (!isCsmsAction(session.version, action)) return `we do not send ${action} in OCPP ${session.version}`;
  try {
    return validatePayload(session.version, action, "request", JSON.parse(payload))?.description;
  } catch {
    return "its payload is not JSON";
  }
}
