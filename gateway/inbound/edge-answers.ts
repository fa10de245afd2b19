import type { ActionClass } from "./action-class.ts";

/** The answers that the tables answers-*.ts are made of. Each payload is valid against its action's response schema. */
export const received = { class: "edge", payload: "{}" } as const satisfies ActionClass;
export const accepted = { class: "edge", payload: '{"status":"Accepted"}' } as const satisfies ActionClass;
export const rejected = { class: "edge", payload: '{"status":"Rejected"}' } as const satisfies ActionClass;
export const currentTime = { class: "edge-with-time" } as const satisfies ActionClass;
export const decision = { class: "decision" } as const satisfies ActionClass;
export const byPayload = { class: "transaction-event" } as const satisfies ActionClass;
export const unanswered = { class: "send" } as const satisfies ActionClass;
