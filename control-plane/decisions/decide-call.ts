import type { DecideResponse, StationCall } from "@dynamo-csms/proto/generated/station_decisions";
import { isOcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { encodeStationRecord } from "@dynamo-csms/proto/station-record";
import type { Logger } from "pino";
import { sqlOn } from "../database.ts";
import { describeFault, faultKindOf } from "../fault-kind.ts";
import { findStations } from "../stations/known-station.ts";
import { findRegistryEntry, writeRegistryEntry } from "../stations/registry-record.ts";
import type { Decision, DecisionDeps, Question } from "./decision.ts";
import { decisionStepFor } from "./decision-tables.ts";

export type Answer = NonNullable<DecideResponse["answer"]>;

export const unavailable = (reason: string): Answer => ({ $case: "unavailable", value: { reason } });

/** Two transactions met: the same again, at once. */
const MAX_ATTEMPTS = 4;

/**
 * START HERE. Decides a CALL of a station and commits what follows from it. Never rejects: what cannot be decided now is
 * "unavailable", and the gateway takes its path for that (durable in the lane, or held), never an error to the station.
 */
export async function decideCall(call: StationCall, deps: DecisionDeps & { log: Logger }): Promise<Answer> {
  if (!isOcppVersion(call.ocppVersion)) return unavailable(`this build does not speak OCPP ${call.ocppVersion}`);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const station = (await findStations(sqlOn(deps.pool), [call.identity])).get(call.identity);
      // A gateway lets in only who is registered: Postgres has lost the station, or does not have it yet.
      if (station === undefined) return unavailable("the station is not on record");
      const question: Question = {
        // Normalised by the gateway at admission.
        identity: call.identity as StationIdentity,
        station,
        version: call.ocppVersion,
        epoch: call.epoch,
        seq: call.seq,
        receivedAt: new Date(call.receivedAtMs),
        action: call.action,
        payloadText: call.payload,
      };
      return toAnswer(await decisionStepFor(call.ocppVersion, call.action)(question, deps));
    } catch (fault) {
      const kind = faultKindOf(fault);
      if (kind === "retry" && attempt < MAX_ATTEMPTS) continue;
      deps.log.error(
        {
          action: call.action,
          version: call.ocppVersion,
          station: call.identity,
          messageId: call.messageId,
          reason: describeFault(fault),
        },
        "call not decided",
      );
      if (kind !== "frame") return unavailable("Postgres does not answer");
      return { $case: "refusal", value: { refusal: "internal", description: "the message could not be processed" } };
    }
  }
}

function toAnswer(decision: Decision): Answer {
  return decision.kind === "refuse"
    ? { $case: "refusal", value: decision.refusal }
    : {
        $case: "result",
        value: { payload: JSON.stringify(decision.payload), registration: decision.registration ?? "" },
      };
}

/** Finds a station that the registry in Redis lacks, and puts it back there. Never rejects. */
export async function lookUpStation(identity: string, deps: DecisionDeps & { log: Logger }): Promise<Answer> {
  try {
    const entry = await findRegistryEntry(sqlOn(deps.pool), identity, deps.heartbeatIntervalSeconds);
    if (entry === undefined) return { $case: "lookup", value: { record: "" } };
    // Best effort: without it the next admission asks again.
    await writeRegistryEntry(deps.redis, entry).catch(() => {});
    return { $case: "lookup", value: { record: encodeStationRecord(entry.record) } };
  } catch (fault) {
    deps.log.error({ station: identity, reason: describeFault(fault) }, "station not looked up");
    return unavailable("Postgres does not answer");
  }
}
