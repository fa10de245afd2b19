import { expect, test } from "vitest";
import { passwordFate } from "./password-outcome.ts";

const result = (attributeStatus: string) => ({
  setVariableResult: [
    { attributeStatus: "Accepted", component: { name: "OCPPCommCtrlr" }, variable: { name: "HeartbeatInterval" } },
    { attributeStatus, component: { name: "SecurityCtrlr" }, variable: { name: "BasicAuthPassword" } },
  ],
});

test.each([
  ["ChangeConfiguration", "accepted", { status: "Accepted" }, "taken"],
  ["ChangeConfiguration", "accepted", { status: "RebootRequired" }, "later"],
  ["ChangeConfiguration", "rejected", { status: "Rejected" }, "refused"],
  ["ChangeConfiguration", "rejected", { status: "NotSupported" }, "refused"],
  ["ChangeConfiguration", "error", undefined, "perhaps"],
  ["ChangeConfiguration", "timeout", undefined, "perhaps"],
  ["ChangeConfiguration", "unknown", undefined, "perhaps"],
  ["ChangeConfiguration", "not_connected", undefined, "never"],
  // A SetVariables has no status of its own: what counts is that of the password.
  ["SetVariables", "accepted", result("Accepted"), "taken"],
  ["SetVariables", "accepted", result("RebootRequired"), "later"],
  ["SetVariables", "accepted", result("Rejected"), "refused"],
  ["SetVariables", "accepted", result("UnknownVariable"), "refused"],
  ["SetVariables", "accepted", { setVariableResult: [] }, "perhaps"],
] as const)("[1.2-key-change] %s that ends %s with %j: %s", (action, state, response, fate) => {
  expect(passwordFate({ action, state, response })).toBe(fate);
});
