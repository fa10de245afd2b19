import type { RequestPayload, ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { originOf } from "../commands/answer-order.ts";
import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import { clearItems, recordItems } from "../station-items/record-items.ts";
import { itemsOfClearMonitoring, itemsOfSetMonitoring } from "./monitor-items.ts";

type Version2 = "2.0.1" | "2.1";

const setVariableMonitoring: OutcomeEffect = async (sql, command) => {
  if (command.response === undefined) return;
  const request = command.payload as RequestPayload<Version2, "SetVariableMonitoring">;
  const response = command.response as ResponsePayload<Version2, "SetVariableMonitoring">;
  await recordItems(sql, itemsOfSetMonitoring(request, response, originOf(command)));
};

const clearVariableMonitoring: OutcomeEffect = async (sql, command) => {
  if (command.response === undefined) return;
  const response = command.response as ResponsePayload<Version2, "ClearVariableMonitoring">;
  await recordItems(sql, itemsOfClearMonitoring(response, originOf(command)));
};

/** What is monitored at all is one item of the station, its two settings told at different times. */
const MONITORING = { kind: "monitoring", key: "", present: true, adds: true } as const;

const setMonitoringBase: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const { monitoringBase } = command.payload as RequestPayload<Version2, "SetMonitoringBase">;
  const origin = originOf(command);
  await recordItems(sql, [{ ...origin, ...MONITORING, data: { base: monitoringBase } }]);
  // "All" leaves custom monitors in force; the others take them away (P2 N03.FR.04, FR.05).
  if (monitoringBase !== "All")
    await clearItems(sql, { ...origin, kind: "monitor", having: { set_by: "CustomMonitor" } });
};

const setMonitoringLevel: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const { severity } = command.payload as RequestPayload<Version2, "SetMonitoringLevel">;
  await recordItems(sql, [{ ...originOf(command), ...MONITORING, data: { level: severity } }]);
};

/** What commands about monitors come to, by action. */
export const MONITOR_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["ClearVariableMonitoring", clearVariableMonitoring],
  ["SetMonitoringBase", setMonitoringBase],
  ["SetMonitoringLevel", setMonitoringLevel],
  ["SetVariableMonitoring", setVariableMonitoring],
];
