import { isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { OCPP16, OCPP20, OCPP21 } from "typed-ocpp";
import { describe, expect, test } from "vitest";
import { OPERATOR_COMMAND_NAMES, OPERATOR_COMMANDS, type OperatorCommand } from "./operator-commands.ts";
import { planCall } from "./plan-call.ts";

const SIGNED = { firmware_url: "https://fw.example/x.bin", signing_certificate: "-----BEGIN", signature: "c2ln" };
const EXAMPLES: Record<OperatorCommand, Record<string, unknown>[]> = {
  soft_reset: [{}],
  hard_reset: [{}],
  unlock_connector: [{ connector_id: 1 }],
  set_available: [{}, { connector_id: 2 }],
  set_unavailable: [{}, { connector_id: 2 }],
  start_session: [{ id_tag: "04AABBCC" }, { id_tag: "04AABBCC", connector_id: 1 }],
  stop_session: [{ transaction_id: 42 }],
  set_power_limit: [
    { connector_id: 0, limit_watts: 11_000 },
    { connector_id: 1, limit_watts: 7_400.57 },
    { connector_id: 1, limit_watts: 11_040, amperes: {} },
    { connector_id: 1, limit_watts: 3_749, amperes: { phases: 1, voltage: 230 } },
  ],
  clear_power_limit: [{ connector_id: 1 }],
  update_firmware: [
    { firmware_url: "https://fw.example/x.bin" },
    {
      firmware_url: "https://fw.example/x.bin",
      retrieve_date: "2026-05-02T00:00:00Z",
      retries: 3,
      retry_interval_seconds: 60,
    },
    SIGNED,
    { ...SIGNED, install_date: "2026-05-03T00:00:00Z", retries: 1 },
  ],
  get_diagnostics: [
    { upload_url: "ftp://logs.example/in" },
    { upload_url: "ftp://logs.example/in", from: "2026-05-01T00:00:00Z", to: "2026-05-02T00:00:00Z", retries: 2 },
    { upload_url: "ftp://logs.example/in", log: "security" },
  ],
  send_local_list: [
    {
      list_version: 3,
      local_authorization_list: [{ id_tag: "04AABBCC", expires_at: "2030-01-01T00:00:00Z", parent_id_tag: "FLEET" }],
    },
    { list_version: 4, local_authorization_list: [] },
    { list_version: 5, update: "differential", local_authorization_list: [{ id_tag: "04AABBCC", removed: true }] },
  ],
};
/** Parameters of 2.x alone. */
const EXAMPLES_2X: Partial<Record<OperatorCommand, Record<string, unknown>[]>> = {
  unlock_connector: [{ connector_id: 1, evse_connector_id: 2 }],
  set_unavailable: [{ connector_id: 1, evse_connector_id: 2 }],
  start_session: [{ id_tag: "04AABBCC", id_token_type: "ISO14443" }],
  update_firmware: [{ firmware_url: "https://fw.example/x.bin", install_date: "2026-05-03T00:00:00Z" }],
  send_local_list: [{ list_version: 3, local_authorization_list: [{ id_tag: "DE-X-1", id_token_type: "eMAID" }] }],
};
const FACTS = { now: new Date("2026-05-01T10:00:00Z"), requestId: 7, transactionId: "42" };
const THEIRS = { "1.6": OCPP16, "2.0.1": OCPP20, "2.1": OCPP21 };

function planned(version: OcppVersion, command: OperatorCommand, given: object, facts = {}) {
  const plan = planCall(version, command, OPERATOR_COMMANDS[command].parse(given), { ...FACTS, ...facts });
  if (!plan.ok) throw new Error(`${plan.error.parameter}: ${plan.error.detail}`);
  return plan.value;
}
const refused = (version: OcppVersion, command: OperatorCommand, given: object, facts = {}) => {
  const plan = planCall(version, command, OPERATOR_COMMANDS[command].parse(given), { ...FACTS, ...facts });
  return plan.ok ? undefined : plan.error.parameter;
};

describe.each(OCPP_VERSIONS)("OCPP %s", (version) => {
  test.each(OPERATOR_COMMAND_NAMES)("%s becomes a CALL that our schemas accept, and typed-ocpp's", (command) => {
    const examples = [...EXAMPLES[command], ...(version === "1.6" ? [] : (EXAMPLES_2X[command] ?? []))];
    const theirs = THEIRS[version] as unknown as { validateCall(frame: unknown): boolean };
    for (const example of examples) {
      const call = planned(version, command, example);
      expect(isCsmsAction(version, call.action), call.action).toBe(true);
      expect(validatePayload(version, call.action, "request", call.payload), JSON.stringify(call)).toBeUndefined();
      expect(theirs.validateCall([2, "id", call.action, structuredClone(call.payload)]), JSON.stringify(call)).toBe(
        true,
      );
    }
  });
});

test.each<[OcppVersion, OperatorCommand, Record<string, unknown>, string]>([
  ["1.6", "update_firmware", { firmware_url: "https://a" }, "UpdateFirmware"],
  ["1.6", "update_firmware", SIGNED, "SignedUpdateFirmware"],
  ["2.0.1", "update_firmware", SIGNED, "UpdateFirmware"],
  ["1.6", "get_diagnostics", { upload_url: "ftp://a" }, "GetDiagnostics"],
  ["1.6", "get_diagnostics", { upload_url: "ftp://a", log: "security" }, "GetLog"],
  ["2.1", "get_diagnostics", { upload_url: "ftp://a" }, "GetLog"],
])("in OCPP %s %s %j is %s", (version, command, given, action) => {
  expect(planned(version, command, given).action).toBe(action);
});

test("what has no meaning in the version, or not together, is named", () => {
  const update = { firmware_url: "https://a", install_date: "2026-05-03T00:00:00Z" };
  expect(refused("1.6", "update_firmware", update)).toBe("install_date");
  for (const version of OCPP_VERSIONS) {
    expect(refused(version, "update_firmware", { firmware_url: "https://a", signature: "c2ln" })).toBe("signature");
    const list = { list_version: 1, local_authorization_list: [{ id_tag: "A" }, { id_tag: "B", removed: true }] };
    expect(refused(version, "send_local_list", list)).toBe("local_authorization_list/1/removed");
  }
  expect(refused("1.6", "stop_session", {}, { transactionId: "tx-42" })).toBe("transaction_id");
  expect(refused("1.6", "start_session", { id_tag: "A".repeat(21) })).toBe("id_tag");
  expect(refused("1.6", "start_session", { id_tag: "A", id_token_type: "Central" })).toBe("id_token_type");
  expect(refused("1.6", "unlock_connector", { connector_id: 1, evse_connector_id: 1 })).toBe("evse_connector_id");
  expect(refused("2.0.1", "set_available", { evse_connector_id: 1 })).toBe("evse_connector_id");
});

test("a power limit in amperes is never above the one in watts, and has one digit behind the point", () => {
  const periods = (given: object) =>
    // oxlint-disable-next-line no-explicit-any -- a planned payload, looked into
    (planned("1.6", "set_power_limit", given).payload as any).csChargingProfiles.chargingSchedule;
  expect(periods({ connector_id: 1, limit_watts: 11_040, amperes: {} })).toMatchObject({
    chargingRateUnit: "A",
    chargingSchedulePeriod: [{ startPeriod: 0, limit: 16, numberPhases: 3 }],
  });
  expect(periods({ connector_id: 1, limit_watts: 3_749, amperes: { phases: 1 } })).toMatchObject({
    chargingSchedulePeriod: [{ limit: 16.3, numberPhases: 1 }],
  });
});

test("a limit is cleared by the id that it was set with, connector by connector", () => {
  for (const connector_id of [0, 1, 2]) {
    // oxlint-disable-next-line no-explicit-any -- a planned payload, looked into
    const set16 = planned("1.6", "set_power_limit", { connector_id, limit_watts: 5_000 }).payload as any;
    expect(planned("1.6", "clear_power_limit", { connector_id }).payload).toEqual({
      id: set16.csChargingProfiles.chargingProfileId,
    });
    // oxlint-disable-next-line no-explicit-any -- a planned payload, looked into
    const set2 = planned("2.1", "set_power_limit", { connector_id, limit_watts: 5_000 }).payload as any;
    expect(planned("2.1", "clear_power_limit", { connector_id }).payload).toEqual({
      chargingProfileId: set2.chargingProfile.id,
    });
  }
});

test("a connector is an EVSE in 2.x, and connector 0 the whole station", () => {
  expect(planned("2.0.1", "set_unavailable", { connector_id: 2 }).payload).toEqual({
    operationalStatus: "Inoperative",
    evse: { id: 2 },
  });
  expect(planned("2.0.1", "set_unavailable", { connector_id: 2, evse_connector_id: 1 }).payload).toEqual({
    operationalStatus: "Inoperative",
    evse: { id: 2, connectorId: 1 },
  });
  expect(planned("2.0.1", "set_unavailable", { connector_id: 0 }).payload).toEqual({
    operationalStatus: "Inoperative",
  });
});

test("unlocking takes the EVSE's one connector; where it has several, the operator says which", () => {
  const unlock = (given: object, evseConnectors: number[]) =>
    planned("2.0.1", "unlock_connector", given, { evseConnectors }).payload;
  expect(unlock({ connector_id: 3 }, [])).toEqual({ evseId: 3, connectorId: 1 });
  expect(unlock({ connector_id: 3 }, [2])).toEqual({ evseId: 3, connectorId: 2 });
  expect(unlock({ connector_id: 3, evse_connector_id: 2 }, [1, 2])).toEqual({ evseId: 3, connectorId: 2 });
  expect(refused("2.0.1", "unlock_connector", { connector_id: 3 }, { evseConnectors: [1, 2] })).toBe(
    "evse_connector_id",
  );
});
