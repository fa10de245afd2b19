// What travels on the node channels (control plane and gateways → a gateway) and on the asker channels (gateway → control
// plane process). JSON with a version; fields are only ever added. Pub/sub has no replay: a lost report is made up for by
// the lane, a lost command by publishing it again (the gateway knows ids it has seen).

import type { OcppVersion } from "./ocpp-version.ts";
import { err, ok, type Result } from "./result.ts";
import type { StationIdentity } from "./station-identity.ts";

/** Grows only when older builds must refuse what newer ones write; fields that may be missing are added without. */
export const COMMAND_FORMAT = 1;

/** Send one CALL to a station, on exactly the connection with this epoch. */
export interface CommandMessage {
  v: typeof COMMAND_FORMAT;
  kind: "command";
  /** Also the OCPP message id, so at most 36 characters. */
  commandId: string;
  identity: StationIdentity;
  /** The connection that was resolved. Another epoch at the gateway: reported "notHere", never sent. */
  epoch: number;
  version: OcppVersion;
  action: string;
  /** JSON text of the payload, valid against its schema; absent when it is sealed. */
  payload?: string;
  /** The payload with secrets in it, sealed with the key the halves share (sealed-secret.ts) under `sealedPayloadContext`. */
  sealedPayload?: string;
  /** Dot paths in the payload whose values are masked before anything is stored or logged. */
  secretPaths?: string[];
  /** Time the station has to answer, counted from sending. */
  callTimeoutMs: number;
  /** Unix ms. Past it the command is dropped unsent: nothing starts a session ten minutes late. */
  deadlineAtMs: number;
  /**
   * What is left of it, counted from receipt: the sender's clock and the gateway's need not agree. A gateway that finds it
   * takes it for the deadline.
   */
  validForMs?: number;
  /** The process that wants the reports: askerReports(askerId). */
  askerId: string;
  /** W3C Trace Context, where the command is part of a trace that is recorded. */
  traceparent?: string;
}

/** Close the station's socket: another connection took over, its access was revoked, or an operator asked for it (it may come back at once). */
export interface CloseMessage {
  v: typeof COMMAND_FORMAT;
  kind: "close";
  identity: StationIdentity;
  /** Only a connection with a lower epoch is closed. */
  belowEpoch: number;
  /** A gateway that does not know it closes the connection all the same, as superseded. */
  reason: "superseded" | "revoked" | "operator";
}

/** The station's record in the registry changed: whoever holds the station reads it again. */
export interface RefreshMessage {
  v: typeof COMMAND_FORMAT;
  kind: "refresh";
  identity: StationIdentity;
}

/** End in order, as on SIGTERM: an operator empties this node. */
export interface DrainMessage {
  v: typeof COMMAND_FORMAT;
  kind: "drain";
}

/** From a gateway that is about to take a contested station over: does the connection of this epoch still answer a ping? */
export interface ProbeMessage {
  v: typeof COMMAND_FORMAT;
  kind: "probe";
  identity: StationIdentity;
  epoch: number;
  /** The answer goes to nodeCommands(askerNodeId) under this id. A node that does not hold the connection, or does not know the question, stays silent or says so: either way the newcomer gets in. */
  probeId: string;
  askerNodeId: string;
  /** Where the newcomer came from, and why it is contested: for the station's security log. */
  techInfo: string;
}

/** The answer to a ProbeMessage. */
export interface ProbedMessage {
  v: typeof COMMAND_FORMAT;
  kind: "probed";
  probeId: string;
  alive: boolean;
}

export type NodeMessage = CommandMessage | CloseMessage | RefreshMessage | DrainMessage | ProbeMessage | ProbedMessage;

/** Final states of a command (design: "Commands"). */
export type CommandState = "accepted" | "rejected" | "error" | "timeout" | "not_connected" | "unknown";

export interface CommandOutcome {
  state: CommandState;
  /** JSON text of the CALLRESULT's payload, as the station sent it. */
  response?: string;
  /** CALLERROR of the station, or why its CALLRESULT breaks the schema. */
  error?: { code: string; description: string; details?: unknown };
  /** Why it is not_connected or unknown, for a person. */
  reason?: string;
  sentAtMs?: number;
  answeredAtMs?: number;
  /** Where the answer stands among the station's frames: what it tells yields to later ones. */
  answeredAs?: { epoch: number; seq: number };
}

/** A gateway's word on a command: receipt within 2 s (where it is not sent at once), then sent, then the outcome. "notHere": this node does not hold that connection. */
export type CommandReport = { v: typeof COMMAND_FORMAT; commandId: string; nodeId: string; epoch: number } & (
  | { kind: "received" }
  | { kind: "notHere" }
  | { kind: "sent"; sentAtMs: number }
  | { kind: "outcome"; outcome: CommandOutcome }
);

/** What a sealed payload is bound to (the context of sealed-secret.ts): the command it belongs to. */
export const sealedPayloadContext = (commandId: string): string => `command:${commandId}`;

/** For the node channel. */
export const encodeNodeMessage = (message: NodeMessage): string => JSON.stringify(message);
/** For the channel of whoever asked. */
export const encodeCommandReport = (report: CommandReport): string => JSON.stringify(report);

/** Reads a message of the node channel; says why when this build cannot. */
export function decodeNodeMessage(text: string): Result<NodeMessage, string> {
  return decode<NodeMessage>(text, ["command", "close", "refresh", "drain", "probe", "probed"]);
}

/** Reads a report of the asker channel; says why when this build cannot. */
export function decodeCommandReport(text: string): Result<CommandReport, string> {
  return decode<CommandReport>(text, ["received", "notHere", "sent", "outcome"]);
}

function decode<T>(text: string, kinds: readonly string[]): Result<T, string> {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return err("not JSON");
  }
  if (typeof message !== "object" || message === null) return err("not an object");
  const { v, kind } = message as { v?: unknown; kind?: unknown };
  if (v !== COMMAND_FORMAT) return err(`format ${String(v)}: this build reads format ${COMMAND_FORMAT}`);
  if (typeof kind !== "string" || !kinds.includes(kind)) return err(`kind ${String(kind)}`);
  return ok(message as T);
}
