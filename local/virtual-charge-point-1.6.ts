import type { Behaviour, Follow } from "./virtual-charge-point.ts";

const CONFIGURATION: Record<string, string> = {
  AuthorizeRemoteTxRequests: "false",
  ClockAlignedDataInterval: "0",
  ConnectionTimeOut: "60",
  HeartbeatInterval: "30",
  MeterValueSampleInterval: "60",
  MeterValuesSampledData: "Energy.Active.Import.Register",
  SupportedFeatureProfiles: "Core,FirmwareManagement,RemoteTrigger",
};

/** A plain AC unit that speaks OCPP 1.6. */
export const behaviour16: Behaviour = {
  boot: (unit) => ({
    action: "BootNotification",
    payload: {
      chargePointVendor: unit.vendor.slice(0, 20), // CiString20Type
      chargePointModel: unit.model.slice(0, 20),
      chargePointSerialNumber: unit.serialNumber.slice(0, 25),
      firmwareVersion: unit.firmwareVersion,
    },
  }),
  heartbeat: () => ({ action: "Heartbeat", payload: {} }),
  status: (connectorId, at) => ({
    action: "StatusNotification",
    payload: { connectorId, errorCode: "NoError", status: "Available", timestamp: at.toISOString() },
  }),
  meterValues: (connectorId, energyWh, at, context) => ({
    action: "MeterValues",
    payload: {
      connectorId,
      meterValue: [
        {
          timestamp: at.toISOString(),
          sampledValue: [
            {
              value: String(energyWh),
              context,
              measurand: "Energy.Active.Import.Register",
              location: "Outlet",
              unit: "Wh",
            },
          ],
        },
      ],
    },
  }),
  answer(action, params, unit) {
    switch (action) {
      case "TriggerMessage":
      case "ExtendedTriggerMessage":
        return trigger(String(params["requestedMessage"]), Number(params["connectorId"] ?? 0), unit.connectors);
      case "GetConfiguration":
        return { reply: configuration((params["key"] as string[] | undefined) ?? [], unit.connectors) };
      case "ChangeConfiguration":
        return { reply: { status: String(params["key"]) in CONFIGURATION ? "Accepted" : "NotSupported" } };
      case "ChangeAvailability":
      case "Reset":
      case "ClearCache":
      case "RemoteStartTransaction":
        return { reply: { status: "Accepted" } };
      case "RemoteStopTransaction":
        return { reply: { status: "Rejected" } }; // it runs no transactions
      case "UnlockConnector":
        return { reply: { status: "Unlocked" } };
      case "GetLocalListVersion":
        return { reply: { listVersion: -1 } }; // not supported
      case "DataTransfer":
        return { reply: { status: "UnknownVendorId" } };
      default:
        return undefined;
    }
  },
};

function trigger(message: string, connectorId: number, connectors: number) {
  const asked = connectorId > 0 ? [connectorId] : Array.from({ length: connectors }, (_, index) => index + 1);
  const follow: Record<string, Follow[]> = {
    BootNotification: ["boot"],
    Heartbeat: ["heartbeat"],
    MeterValues: asked.map((meterValuesOf) => ({ meterValuesOf })),
    StatusNotification: asked.map((statusOf) => ({ statusOf })),
    FirmwareStatusNotification: [{ action: "FirmwareStatusNotification", payload: { status: "Idle" } }],
  };
  const followedBy = follow[message];
  if (!followedBy) return { reply: { status: "NotImplemented" } };
  return connectorId > connectors ? { reply: { status: "Rejected" } } : { reply: { status: "Accepted" }, followedBy };
}

function configuration(keys: string[], connectors: number) {
  const all = { ...CONFIGURATION, NumberOfConnectors: String(connectors) };
  const wanted = keys.length > 0 ? keys : Object.keys(all);
  const entry = (key: string, value: string) => ({
    key,
    readonly: key === "NumberOfConnectors" || key === "SupportedFeatureProfiles",
    value,
  });
  return {
    configurationKey: Object.entries(all).flatMap(([key, value]) => (wanted.includes(key) ? [entry(key, value)] : [])),
    unknownKey: wanted.filter((key) => !(key in all)),
  };
}
