import { isSend, isStationAction } from "@dynamo-csms/ocpp-schemas/actions";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { answers16 } from "./answers-1.6.ts";
import { answers201 } from "./answers-2.0.1.ts";
import { answers21 } from "./answers-2.1.ts";

/**
 * Who answers a CALL of the station:
 * - edge: we, with a constant payload, as soon as it is durable; the control plane may be down
 * - edge-with-time: the same, with the time at which it is answered
 * - decision: the control plane
 * - transaction-event: one or the other, by its payload
 * - send: nobody; it is stored (2.1 Part 4 §4.2.4)
 */
export type ActionClass =
  | { readonly class: "edge"; readonly payload: string }
  | { readonly class: "edge-with-time" }
  | { readonly class: "decision" }
  | { readonly class: "transaction-event" }
  | { readonly class: "send" };

const TABLE: Record<OcppVersion, ReadonlyMap<string, ActionClass>> = {
  "1.6": new Map(Object.entries(answers16)),
  "2.0.1": new Map(Object.entries(answers201)),
  "2.1": new Map(Object.entries(answers21)),
};

/** The class of an action that a station may send; undefined for all others (names are case-sensitive, P4 §4.1.5). */
export function classOf(version: OcppVersion, action: string, sent: boolean): ActionClass | undefined {
  // A SEND of an action that is a CALL, and the other way round, is as unknown as any word.
  if (!isStationAction(version, action) || isSend(version, action) !== sent) return undefined;
  return TABLE[version].get(action);
}

/** A TransactionEvent needs a decision when a transaction starts or ends, or when a token is to be judged. */
export function transactionEventNeedsDecision(payload: { eventType?: unknown; idToken?: unknown }): boolean {
  return payload.eventType !== "Updated" || payload.idToken !== undefined;
}
