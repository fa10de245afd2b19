import { isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { describe, expect, test } from "vitest";
import { OPERATOR_COMMAND_NAMES, OPERATOR_COMMANDS, type OperatorCommand } from "./operator-commands.ts";
import { planCall } from "./plan-call.ts";

const EXAMPLES: Record<OperatorCommand, unknown[]> = {
  soft_reset: [{}],
  hard_reset: [{}],
  unlock_connector: [{ connector_id: 1 }],
  set_available: [{}, { connector_id: 2 }],
  set_unavailable: [{}, { connector_id: 2 }],
  start_session: [{ id_tag: "04AABBCC" }, { id_tag: "04AABBCC", connector_id: 1 }],
  stop_session: [{ transaction_id: 42 }],
  set_power_limit: [
    { connector_id: 0, limit_watts: 11_000 },
    { connector_id: 1, limit_watts: 7_400 },
  ],
  clear_power_limit: [{ connector_id: 1 }],
  update_firmware: [{ firmware_url: "https://fw.example/x.bin" }],
  get_diagnostics: [{ upload_url: "ftp://logs.example/in" }],
  send_local_list: [
    { list_version: 3, local_authorization_list: [{ id_tag: "04AABBCC", expires_at: "2030-01-01T00:00:00Z" }] },
    { list_version: 4, local_authorization_list: [] },
  ],
};
const FACTS = { now: new Date("2026-05-01T10:00:00Z"), requestId: 7 };

describe.each(OCPP_VERSIONS)("OCPP %s", (version) => {
  test.each(OPERATOR_COMMAND_NAMES)("%s becomes a CALL that its schema accepts", (command) => {
    for (const example of EXAMPLES[command]) {
      const parameters = OPERATOR_COMMANDS[command].parse(example);
      const call = planCall(version, command, parameters, FACTS);
      expect(isCsmsAction(version, call.action), call.action).toBe(true);
      expect(validatePayload(version, call.action, "request", call.payload)).toBeUndefined();
    }
  });
});

test("the number of a 1.6 transaction may come as text; another text is left for the schema to refuse", () => {
  expect(planCall("1.6", "stop_session", { transaction_id: "42" }, FACTS).payload).toEqual({ transactionId: 42 });
  const refused = planCall("1.6", "stop_session", { transaction_id: "tx-42" }, FACTS);
  expect(validatePayload("1.6", refused.action, "request", refused.payload)?.pointer).toBe("/transactionId");
});

test("a connector is an EVSE in 2.x, and connector 0 the whole station", () => {
  expect(planCall("2.0.1", "set_unavailable", { connector_id: 2 }, FACTS).payload).toEqual({
    operationalStatus: "Inoperative",
    evse: { id: 2 },
  });
  expect(planCall("2.0.1", "set_unavailable", { connector_id: 0 }, FACTS).payload).toEqual({
    operationalStatus: "Inoperative",
  });
});
