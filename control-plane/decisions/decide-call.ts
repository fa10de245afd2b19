import type { StationCall } from "@dynamo-csms/proto/generated/station_decisions";
import { isOcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { encodeStationRecord } from "@dynamo-csms/proto/station-record";
import type { Logger } from "pino";
import { sqlOn } from "../database.ts";
import { describeFault, faultKindOf } from "../fault-kind.ts";
import { findStations } from "../stations/known-station.ts";
import { findRegistryEntry, writeRegistryEntry } from "../stations/registry-record.ts";
import { type Answer, notOnRecord, questionOf, toAnswer, unavailable } from "./answer.ts";
import { decideShared } from "./decide-shared.ts";
import type { DecisionDeps } from "./decision.ts";
import { decisionStepFor } from "./decision-tables.ts";

/** Two transactions met: the same again, at once. */
const MAX_ATTEMPTS = 4;

/**
 * Decides one CALL of a station and commits what follows from it. Never rejects: what cannot be decided now is
 * "unavailable", and the gateway takes its path for that (durable in the lane, or held), never an error to the station.
 */
export async function decideCall(call: StationCall, deps: DecisionDeps & { log: Logger }): Promise<Answer> {
  if (!isOcppVersion(call.ocppVersion)) return unavailable(`this build does not speak OCPP ${call.ocppVersion}`);
  const step = decisionStepFor(call.ocppVersion, call.action);
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (typeof step !== "function") return (await decideShared([call], deps))[0] as Answer;
      const sql = sqlOn(deps.pool);
      const question = questionOf(call, await findStations(sql, [call.identity]));
      return question === undefined ? notOnRecord : toAnswer(await step(question, deps));
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
