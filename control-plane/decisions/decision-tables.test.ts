import { DECISION_ACTIONS } from "@dynamo-csms/proto/decision-actions";
import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { expect, test } from "vitest";
import { decisionStepFor } from "./decision-tables.ts";
import { notSupported } from "./refusals.ts";

// What a table lacks is refused as not supported, so every such refusal has to be meant.
test.each(OCPP_VERSIONS)("of what gateways ask about in OCPP %s nothing is refused as not supported", (version) => {
  const refused = DECISION_ACTIONS[version].filter((action) => decisionStepFor(version, action) === notSupported);
  expect(refused).toEqual([]);
});
