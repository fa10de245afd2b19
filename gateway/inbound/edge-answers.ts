import type { ActionClass } from "./action-class.ts";

// What the tables answers-*.ts are made of. Each payload is valid against its action's response schema.

/** Taken note of: an answer without fields. */
export const received = { class: "edge", payload: "{}" } as const satisfies ActionClass;
/** Done as asked. */
export const accepted = { class: "edge", payload: '{"status":"Accepted"}' } as const satisfies ActionClass;
/** Not done: nothing here does it. */
export const rejected = { class: "edge", payload: '{"status":"Rejected"}' } as const satisfies ActionClass;
/** The time at which it is answered. */
export const currentTime = { class: "edge-with-time" } as const satisfies ActionClass;
/** Asked of the control plane. */
export const decision = { class: "decision" } as const satisfies ActionClass;
/** Asked, or taken note of, by what is in it (TransactionEvent). */
export const byPayload = { class: "transaction-event" } as const satisfies ActionClass;
/** A SEND (2.1). */
export const unanswered = { class: "send" } as const satisfies ActionClass;

/** The payload of an answer of class edge-with-time. @param atMs Unix */
export const timePayload = (atMs: number): string => `{"currentTime":"${new Date(atMs).toISOString()}"}`;
