import { decodeLaneEvent, type LaneEvent } from "@dynamo-csms/proto/lane-event";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { type LaneFrame, REFUSED_IN_SILENCE } from "@dynamo-csms/proto/stream-entry";
import { storableText } from "../message-log/storable-text.ts";
import { isQuirkName } from "../quirks/quirk-settings.ts";
import type { KnownStation } from "../stations/known-station.ts";
import { int4Of } from "../transactions/read-fields.ts";
import { noteReservationUse } from "./charge-point-setting-steps.ts";
import { steps16 } from "./dispatch-1.6.ts";
import { steps201 } from "./dispatch-2.0.1.ts";
import { steps21 } from "./dispatch-2.1.ts";
import type { Effects } from "./effects.ts";
import { readFrame, type ReadFrame } from "./read-call.ts";
import { isOfReplacedHardware } from "./replaced-hardware.ts";
import { addCredentials } from "./security-steps.ts";
import { asQuarantined, type Step } from "./step.ts";

// Maps, because action names come from the wire. Behind the schema check of the gateway each step gets what it expects.
const STEPS: Record<OcppVersion, ReadonlyMap<string, Step>> = {
  "1.6": new Map(Object.entries(steps16) as [string, Step][]),
  "2.0.1": new Map(Object.entries(steps201) as [string, Step][]),
  "2.1": new Map(Object.entries(steps21) as [string, Step][]),
};

/** A frame that nothing can be done with; it is set aside with this reason. */
class Unusable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "Unusable";
  }
}

/**
 * Adds what one frame comes to. No I/O.
 * @throws Unusable when the frame's station does not exist.
 */
export function collectEffects(
  frame: LaneFrame,
  stations: ReadonlyMap<string, KnownStation>,
  settings: { logHeartbeats: boolean },
  effects: Effects,
): void {
  if (frame.kind === "event") return collectEvent(frame, stations, effects);
  const station = stationOf(frame, stations);
  if (frame.kind === "inbound" && !isOfReplacedHardware(station, frame.epoch)) effects.saw(station, frame.receivedAtMs);
  const read = readFrame(frame, station);
  const { call } = read;
  // Heartbeats: tens of thousands of rows a second, in a large fleet, that nobody reads. A refused one is worth reading.
  if (call?.action !== "Heartbeat" || call.refused || settings.logHeartbeats) log(frame, read, station, effects);
  if (frame.kind === "outbound" || call === undefined || call.refused) return;
  if (isOfReplacedHardware(station, frame.epoch, call.action)) return;
  if (frame.flagged) effects.quarantined.push(asQuarantined(call, "breaks its schema"));
  noteReservationUse(call, effects);
  STEPS[frame.version].get(call.action)?.(call, effects);
}

function stationOf(frame: LaneFrame, stations: ReadonlyMap<string, KnownStation>): KnownStation {
  const station = stations.get(frame.identity);
  if (station === undefined) throw new Unusable("no station has this identity");
  return station;
}

function log(frame: LaneFrame, { action, messageId }: ReadFrame, station: KnownStation, effects: Effects): void {
  effects.frames.push({
    stationId: station.id,
    epoch: frame.epoch,
    seq: frame.seq,
    receivedAt: new Date(frame.receivedAtMs),
    direction: frame.kind === "outbound" ? "outbound" : "inbound",
    flagged: frame.flagged,
    action: action === null ? null : storableText(action).slice(0, 255),
    messageId: messageId === null ? null : storableText(messageId),
    raw: storableText(frame.text),
    answer: frame.answer === undefined || frame.answer === REFUSED_IN_SILENCE ? null : storableText(frame.answer),
    latencyMs: int4Of(frame.answeredAfterMs),
  });
}

function collectEvent(frame: LaneFrame, stations: ReadonlyMap<string, KnownStation>, effects: Effects): void {
  const event = decodeLaneEvent(frame.text);
  if (!isKnownEvent(event)) return;
  const at = new Date(frame.receivedAtMs);
  const { epoch, seq } = frame;
  switch (event.event) {
    case "opened":
    case "stillOpen": {
      const station = stationOf(frame, stations);
      if (isOfReplacedHardware(station, epoch)) return;
      // That the gateway still has it is no word of the station.
      if (event.event === "opened") effects.saw(station, frame.receivedAtMs);
      if (event.event === "opened") addCredentials(event, station, at, effects);
      effects.connections.push({
        kind: event.event,
        station,
        epoch,
        seq,
        at,
        nodeId: event.nodeId,
        notes: event.event === "opened" ? event.notes : [],
        remoteAddress: event.remoteAddress,
        listener: event.event === "opened" ? (event.listener ?? null) : null,
        ocppVersion: frame.version,
      });
      return;
    }
    case "closed": {
      const station = stationOf(frame, stations);
      if (isOversized(event)) effects.oversized.push({ stationId: station.id, at });
      effects.connections.push({
        kind: "closed",
        station,
        epoch,
        seq,
        at,
        code: event.code,
        reason: storableText(event.reason),
      });
      return;
    }
    case "commandSent":
      effects.commands.push({ kind: "sent", commandId: event.commandId, at: new Date(event.sentAtMs) });
      return;
    case "commandOutcome":
      effects.commands.push({ kind: "outcome", commandId: event.commandId, at, outcome: event.outcome, epoch });
      return;
    case "gap":
      effects.gaps.push({ laneId: event.laneId, fromId: event.fromId, toId: event.toId });
      return;
    case "skipped":
      for (const [first, last] of event.ranges) effects.skipped.push({ laneId: event.laneId, first, last });
      return;
    case "quirk":
      // A quirk of a newer gateway: nothing here could show it.
      if (isQuirkName(event.quirk))
        effects.quirks.push({
          stationId: stationOf(frame, stations).id,
          quirk: event.quirk,
          mode: event.mode,
          count: event.count,
          at,
          detail: storableText(event.detail),
        });
      return;
    case "securityEvent":
      effects.securityEvents.push({
        station: stationOf(frame, stations),
        source: "csms",
        type: event.type,
        techInfo: event.techInfo,
        occurredAt: at,
        receivedAt: at,
        identity: [String(epoch), String(seq)],
      });
      return;
    // Read before, where anybody wants it: trace-batches.ts.
    case "traced":
    case "laneOpened":
      return;
    case "sealed":
      effects.sealed = true;
  }
}

/** The WebSocket library tells an oversized frame as 1006, with its own word on it. */
const isOversized = ({ code, reason }: { code: number; reason: string }): boolean =>
  code === 1009 || (code === 1006 && /too big/i.test(reason));

const KNOWN_EVENTS = {
  opened: true,
  closed: true,
  stillOpen: true,
  traced: true,
  laneOpened: true,
  quirk: true,
  securityEvent: true,
  commandSent: true,
  commandOutcome: true,
  gap: true,
  skipped: true,
  sealed: true,
} satisfies Record<LaneEvent["event"], true>;
/** A kind of event that a newer gateway writes and this build has no use for is skipped (lane-event.ts). */
const isKnownEvent = (event: { event: string }): event is LaneEvent => Object.hasOwn(KNOWN_EVENTS, event.event);
