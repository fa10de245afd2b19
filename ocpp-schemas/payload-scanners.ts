import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import * as compiled16 from "#generated/scanners-1.6";
import * as compiled201 from "#generated/scanners-2.0.1";
import * as compiled21 from "#generated/scanners-2.1";

/**
 * Reads a payload as it came, and says whether it is surely valid: JSON.parse would read these bytes, and `validatePayload`
 * would find nothing wrong. Everything else it leaves open: JSON.parse and `validatePayload` decide. Never throws.
 * @param bytes the frame, with a byte 0 behind it; what stands behind that is never part of an answer
 * @param at where the payload begins: at its `{`
 * @returns the index right behind the payload's `}`, all bytes up to there being ASCII; or -1 for "do not know"
 */
export type PayloadScanner = (bytes: Uint8Array, at: number) => number;

const COMPILED = { "1.6": compiled16, "2.0.1": compiled201, "2.1": compiled21 };

/**
 * The scanner for what a station sends as a CALL, or in 2.1 as a SEND.
 * @returns undefined for what stations do not send, and where a schema has a constraint that scanners do not know
 */
export function payloadScanner(version: OcppVersion, action: string): PayloadScanner | undefined {
  return COMPILED[version].scanners.get(action);
}

/**
 * A scanner for TransactionEvents that are surely valid, of type Updated, and without an idToken.
 * @returns undefined where there are none (1.6)
 */
export function transactionUpdateScanner(version: OcppVersion): PayloadScanner | undefined {
  return COMPILED[version].transactionUpdate;
}
