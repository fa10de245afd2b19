import { randomBytes } from "node:crypto";
import { actionsOf, isSend, isStationAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { Outcomes } from "./golden.ts";
import { validCases, violationCases, type SampleCase } from "./sample-cases.ts";
import { type CallAnswer, WireStation, type StationCredentials } from "./wire-station.ts";

/** How the message log says of a CALL that its payload breaks its schema: message id → yes or no. */
export type ReadFlags = (identity: string, messageIds: readonly string[]) => Promise<ReadonlyMap<string, boolean>>;

export interface StationSuiteDeps {
  /** ws:// origin of a gateway node. */
  origin: string;
  station: StationCredentials;
  readFlags: ReadFlags;
}

/** Heartbeats are durable and counted, not logged. */
const NOT_LOGGED = "Heartbeat";

const ANSWERED = "answered";
/** Stored as it came, marked in the message log, and answered: transaction data against its schema. */
const FLAGGED = "answered, flagged";

/**
 * Every action of a version as a CALL (or SEND) of the station: smallest and fullest payload, and one mistake of each kind; and
 * every action that is the CSMS' to send, sent the wrong way round.
 * @returns what came of each case: `answered`, `answered, flagged`, `silence`, or the error code; and what is wrong apart from it
 */
export async function playStation(
  version: OcppVersion,
  deps: StationSuiteDeps,
): Promise<{ outcomes: Outcomes; complaints: string[] }> {
  const station = await WireStation.connect(deps.origin, deps.station, version);
  const complaints: string[] = [];
  const outcomes: Outcomes = {};
  /** Message id → where its outcome stands. */
  const answered = new Map<string, { action: string; name: string }>();
  const run = randomBytes(4).toString("hex");
  let calls = 0;

  async function play(action: string, { name, payload }: SampleCase): Promise<string> {
    const messageId = `conformance-${run}-${++calls}`;
    if (isSend(version, action)) {
      const said = await station.send(messageId, action, payload);
      return typeof said === "string" ? said : readAnswer(action, name, said);
    }
    const outcome = readAnswer(action, name, await station.call(messageId, action, payload));
    if (outcome === ANSWERED && action !== NOT_LOGGED) answered.set(messageId, { action, name });
    return outcome;
  }

  function readAnswer(action: string, name: string, answer: CallAnswer): string {
    if (!("payload" in answer)) return answer.code;
    const mistake = validatePayload(version, action, "response", answer.payload);
    if (mistake !== undefined) complaints.push(`${version} ${action}, ${name}: answered with ${mistake.description}`);
    return ANSWERED;
  }

  try {
    for (const action of actionsOf(version)) {
      const results: Record<string, string> = (outcomes[action] = {});
      // What no station may send is refused before anybody looks into it.
      const cases = isStationAction(version, action)
        ? [...validCases(version, action, "request"), ...violationCases(version, action, "request")]
        : validCases(version, action, "request").slice(0, 1);
      for (const one of cases) results[one.name] = await play(action, one);
    }
    const flags = await deps.readFlags(deps.station.identity, [...answered.keys()]);
    for (const [messageId, { action, name }] of answered) {
      const flagged = flags.get(messageId);
      if (flagged === undefined) complaints.push(`${version} ${action}, ${name}: not in the message log`);
      else if (flagged) (outcomes[action] as Record<string, string>)[name] = FLAGGED;
    }
  } finally {
    station.close();
  }
  return { outcomes, complaints: [...complaints, ...station.complaints.map((text) => `${version}: ${text}`)] };
}
