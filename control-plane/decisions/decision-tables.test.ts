import { DECISION_ACTIONS } from "@dynamo-csms/proto/decision-actions";
import { expect, test } from "vitest";
import { decisionStepFor } from "./decision-tables.ts";
import { notSupported } from "./refusals.ts";

// What a table lacks is refused as not supported, so every such refusal has to be meant.
test.each([
  ["1.6", []],
  ["2.0.1", []],
  ["2.1", ["GetCertificateChainStatus"]],
] as const)("of what gateways ask about in OCPP %s only this is not supported: %j", (version, meant) => {
  const refused = DECISION_ACTIONS[version].filter((action) => decisionStepFor(version, action) === notSupported);
  expect(refused).toEqual(meant);
});
