import type { Behaviour, Call, Follow, VirtualUnit } from "./virtual-charge-point.ts";

/** A DC unit that speaks OCPP 2.0.1 or 2.1: one connector per EVSE. */
export const behaviour2x: Behaviour = {
  boot: (unit) => ({
    action: "BootNotification",
    payload: {
      reason: "PowerUp",
      chargingStation: {
        vendorName: unit.vendor.slice(0, 50),
        model: unit.model.slice(0, 20),
        serialNumber: unit.serialNumber.slice(0, 25),
        firmwareVersion: unit.firmwareVersion,
      },
    },
  }),
  heartbeat: () => ({ action: "Heartbeat", payload: {} }),
  status: (evseId, at) => ({
    action: "StatusNotification",
    payload: { timestamp: at.toISOString(), connectorStatus: "Available", evseId, connectorId: 1 },
  }),
  meterValues: (evseId, energyWh, at, context) => ({
    action: "MeterValues",
    payload: {
      evseId,
      meterValue: [
        {
          timestamp: at.toISOString(),
          sampledValue: [
            {
              value: energyWh,
              context,
              measurand: "Energy.Active.Import.Register",
              location: "Outlet",
              unitOfMeasure: { unit: "Wh" },
            },
          ],
        },
      ],
    },
  }),
  answer(action, params, unit) {
    switch (action) {
      case "TriggerMessage":
        return trigger(
          String(params["requestedMessage"]),
          (params["evse"] as { id: number } | undefined)?.id ?? 0,
          unit.connectors,
        );
      case "GetBaseReport":
      case "GetReport":
        return { reply: { status: "Accepted" }, followedBy: [report(Number(params["requestId"]), unit)] };
      case "GetVariables":
        return {
          reply: { getVariableResult: (params["getVariableData"] as Asked[]).map((asked) => getVariable(asked, unit)) },
        };
      case "SetVariables":
        return {
          reply: {
            setVariableResult: (params["setVariableData"] as Asked[]).map(({ component, variable }) => ({
              attributeStatus: "Accepted",
              component,
              variable,
            })),
          },
        };
      case "ChangeAvailability":
      case "Reset":
      case "ClearCache":
      case "RequestStartTransaction":
        return { reply: { status: "Accepted" } };
      case "RequestStopTransaction":
        return { reply: { status: "Rejected" } }; // it runs no transactions
      case "UnlockConnector":
        return { reply: { status: "Unlocked" } };
      case "GetLocalListVersion":
        return { reply: { versionNumber: 0 } };
      case "DataTransfer":
        return { reply: { status: "UnknownVendorId" } };
      default:
        return undefined;
    }
  },
};

interface Asked {
  component: { name: string };
  variable: { name: string };
}

function trigger(message: string, evseId: number, evses: number) {
  const asked = evseId > 0 ? [evseId] : Array.from({ length: evses }, (_, index) => index + 1);
  const follow: Record<string, Follow[]> = {
    BootNotification: ["boot"],
    Heartbeat: ["heartbeat"],
    MeterValues: asked.map((meterValuesOf) => ({ meterValuesOf })),
    StatusNotification: asked.map((statusOf) => ({ statusOf })),
    FirmwareStatusNotification: [{ action: "FirmwareStatusNotification", payload: { status: "Idle" } }],
  };
  const followedBy = follow[message];
  if (!followedBy) return { reply: { status: "NotImplemented" } };
  return evseId > evses ? { reply: { status: "Rejected" } } : { reply: { status: "Accepted" }, followedBy };
}

/** Component → variable → value, as in OCPP 2.0.1 part 2, appendix 3 (Standardized Components and Variables). */
function deviceModel(unit: VirtualUnit): Record<string, Record<string, string>> {
  return {
    ChargingStation: {
      Model: unit.model,
      VendorName: unit.vendor,
      SerialNumber: unit.serialNumber,
      AvailabilityState: "Available",
    },
    Controller: { FirmwareVersion: unit.firmwareVersion },
    OCPPCommCtrlr: { HeartbeatInterval: "30", NetworkConfigurationPriority: "1" },
    SampledDataCtrlr: { TxUpdatedMeasurands: "Energy.Active.Import.Register", TxUpdatedInterval: "60" },
    AlignedDataCtrlr: { Measurands: "Energy.Active.Import.Register", Interval: "0" },
  };
}

function getVariable({ component, variable }: Asked, unit: VirtualUnit) {
  const variables = deviceModel(unit)[component.name];
  const value = variables?.[variable.name];
  const attributeStatus = !variables ? "UnknownComponent" : value === undefined ? "UnknownVariable" : "Accepted";
  return { attributeStatus, component, variable, ...(value !== undefined && { attributeValue: value }) };
}

/** What it is made of, as against how it is set. */
const READ_ONLY = new Set(["ChargingStation", "Controller"]);

function report(requestId: number, unit: VirtualUnit): Call {
  const reportData = Object.entries(deviceModel(unit)).flatMap(([component, variables]) =>
    Object.entries(variables).map(([variable, value]) => ({
      component: { name: component },
      variable: { name: variable },
      variableAttribute: [{ type: "Actual", value, mutability: READ_ONLY.has(component) ? "ReadOnly" : "ReadWrite" }],
      variableCharacteristics: { dataType: "string", supportsMonitoring: false },
    })),
  );
  return {
    action: "NotifyReport",
    payload: { requestId, generatedAt: new Date().toISOString(), seqNo: 0, tbc: false, reportData },
  };
}
