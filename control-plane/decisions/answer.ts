import type { DecideResponse, StationCall } from "@dynamo-csms/proto/generated/station_decisions";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { KnownStation } from "../stations/known-station.ts";
import type { Decision, Question } from "./decision.ts";

/** What a gateway gets to hear. */
export type Answer = NonNullable<DecideResponse["answer"]>;

export const unavailable = (reason: string): Answer => ({ $case: "unavailable", value: { reason } });

/** A gateway lets in only who is registered: Postgres has lost the station, or does not have it yet. */
export const notOnRecord = unavailable("the station is not on record");

/** Undefined: the station is not among these. @param call of a version that this build speaks. */
export function questionOf(call: StationCall, stations: ReadonlyMap<string, KnownStation>): Question | undefined {
  const station = stations.get(call.identity);
  if (station === undefined) return undefined;
  return {
    // Normalised by the gateway at admission.
    identity: call.identity as StationIdentity,
    station,
    version: call.ocppVersion as OcppVersion,
    epoch: call.epoch,
    seq: call.seq,
    receivedAt: new Date(call.receivedAtMs),
    action: call.action,
    payloadText: call.payload,
  };
}

export function toAnswer(decision: Decision): Answer {
  return decision.kind === "refuse"
    ? { $case: "refusal", value: decision.refusal }
    : {
        $case: "result",
        value: { payload: JSON.stringify(decision.payload), registration: decision.registration ?? "" },
      };
}
