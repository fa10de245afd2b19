import { CALL_ERROR_CODE, type CallRefusal } from "@dynamo-csms/proto/call-error";
import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** Statuses of CALLRESULTs that mean: done, or will be done. Every other one is a "no". */
const POSITIVE: ReadonlySet<string> = new Set([
  "Accepted",
  "AcceptedCanceled", // GetLog, UpdateFirmware: accepted, and the one before it ended
  "RebootRequired", // ChangeConfiguration, SetVariables: stored, in force after a reboot
  "Scheduled", // ChangeAvailability, Reset, ClearDisplayMessage: after the running transaction
  "Unlocked", // UnlockConnector
  "Unpublished", // UnpublishFirmware
]);

export interface CallTimes {
  sentAtMs: number;
  answeredAtMs: number;
  /** Where the answer stands among the station's frames. */
  answeredAs: { epoch: number; seq: number };
}

/** A CALLRESULT that is valid: accepted when its status is positive or when it has none. @param response JSON text to keep */
export function outcomeOfResult(payload: unknown, response: string, times: CallTimes): CommandOutcome {
  const status = (payload as { status?: unknown }).status;
  const isPositive = typeof status !== "string" || POSITIVE.has(status);
  return { state: isPositive ? "accepted" : "rejected", response, ...times };
}

/** A CALLRESULT that breaks its schema: what the station meant is not guessed. */
export function outcomeOfBrokenResult(
  version: OcppVersion,
  refusal: CallRefusal,
  response: string,
  times: CallTimes,
): CommandOutcome {
  const code = CALL_ERROR_CODE[refusal.refusal][version];
  return {
    state: "error",
    response,
    error: { code, description: `the station's answer breaks its schema: ${refusal.description}` },
    ...times,
  };
}

/** Longer texts of a station are cut: they end in rows and answers of the REST API. */
const MAX_TEXT = 1_000;

/** A CALLERROR. Its words are the station's own. */
export function outcomeOfCallError(
  error: { code: string; description: string; details: unknown },
  times: CallTimes,
): CommandOutcome {
  const details = JSON.stringify(error.details) ?? "{}";
  return {
    state: "error",
    error: {
      code: error.code.slice(0, 100),
      description: error.description.slice(0, MAX_TEXT),
      ...(details.length > MAX_TEXT || details === "{}" ? {} : { details: error.details }),
    },
    ...times,
  };
}
