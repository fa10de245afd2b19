import type { RequestPayload, ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { keyOf, nameOf } from "../device-model/variable-facts.ts";
import type { FactOrigin } from "../device-model/read-variables.ts";
import { itemKey, type ItemChange } from "../station-items/record-items.ts";

type Version2 = "2.0.1" | "2.1";
type MonitoringData = NonNullable<RequestPayload<Version2, "NotifyMonitoringReport">["monitor"]>[number];
type Monitor = MonitoringData["variableMonitoring"][number];

const monitorItem = (
  origin: FactOrigin,
  of: Pick<MonitoringData, "component" | "variable">,
  monitor: Pick<Monitor, "id" | "type" | "value" | "severity" | "transaction">,
  origin21: string | null,
): ItemChange => ({
  ...origin,
  kind: "monitor",
  key: itemKey(monitor.id),
  present: true,
  data: {
    monitor_id: monitor.id,
    component: componentOf(of),
    variable: { name: of.variable.name, instance: of.variable.instance },
    type: monitor.type,
    value: monitor.value,
    severity: monitor.severity,
    transaction: monitor.transaction,
    set_by: origin21,
  },
});

/** Without customData: a report says it once of all the monitors of a variable, and each monitor is a row. */
const componentOf = ({ component: { name, instance, evse } }: Pick<MonitoringData, "component">) => ({
  name,
  instance,
  evse: evse && { id: evse.id, connectorId: evse.connectorId },
});

/** Of one part of a monitoring report (P2 N02 NotifyMonitoringReport). */
export function itemsOfMonitoringReport(
  { monitor = [] }: RequestPayload<Version2, "NotifyMonitoringReport">,
  origin: FactOrigin,
): ItemChange[] {
  return monitor.flatMap((data) =>
    data.variableMonitoring.map((one) =>
      // 2.1 says who set it; 2.0.1 does not.
      monitorItem(origin, data, one, "eventNotificationType" in one ? String(one.eventNotificationType) : null),
    ),
  );
}

/** Of a SetVariableMonitoring (P2 N04): what the station accepted, under the ids that it gave. */
export function itemsOfSetMonitoring(
  { setMonitoringData }: RequestPayload<Version2, "SetVariableMonitoring">,
  { setMonitoringResult }: ResponsePayload<Version2, "SetVariableMonitoring">,
  origin: FactOrigin,
): ItemChange[] {
  const waiting = [...setMonitoringData];
  return setMonitoringResult.flatMap((result): ItemChange[] => {
    const { id } = result;
    const at = waiting.findIndex((asked) => isAbout(asked, result));
    const [asked] = at < 0 ? [] : waiting.splice(at, 1);
    if (result.status !== "Accepted" || id === undefined || asked === undefined) return [];
    const { type, value, severity, transaction = false } = asked;
    return [monitorItem(origin, asked, { id, type, value, severity, transaction }, "CustomMonitor")];
  });
}

type Asked = RequestPayload<Version2, "SetVariableMonitoring">["setMonitoringData"][number];
type Result = ResponsePayload<Version2, "SetVariableMonitoring">["setMonitoringResult"][number];

function isAbout(asked: Asked, result: Result): boolean {
  const [of, told] = [nameOf(asked, undefined), nameOf(result, undefined)];
  return (
    asked.type === result.type &&
    asked.severity === result.severity &&
    of !== undefined &&
    told !== undefined &&
    keyOf(of) === keyOf(told)
  );
}

/** Of a ClearVariableMonitoring (P2 N06): those that were cleared, or were not there. */
export const itemsOfClearMonitoring = (
  { clearMonitoringResult }: ResponsePayload<Version2, "ClearVariableMonitoring">,
  origin: FactOrigin,
): ItemChange[] =>
  clearMonitoringResult
    .filter(({ status }) => status !== "Rejected")
    .map(({ id }) => ({ ...origin, kind: "monitor", key: itemKey(id), present: false, data: {}, adds: true }));
