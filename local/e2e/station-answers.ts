import type { LedgerStation } from "./ledger-station.ts";

type Payload = Record<string, unknown>;

/** What a well-behaved station of either version answers to the CALLs of a commissioning, and to those of the command tests. */
export function plainAnswer(action: string): Payload | undefined {
  switch (action) {
    case "GetConfiguration":
      return { configurationKey: [{ key: "HeartbeatInterval", readonly: false, value: "300" }] };
    case "GetVariables":
      return { getVariableResult: [] };
    case "TriggerMessage":
    case "GetBaseReport":
    case "Reset":
    case "ClearCache":
    case "ChangeAvailability":
      return { status: "Accepted" };
    default:
      return undefined;
  }
}

/** The version's BootNotification of the quickstart's unit. */
export function bootPayload(version: "1.6" | "2.0.1" | "2.1"): Payload {
  return version === "1.6"
    ? { chargePointVendor: "Alpitronic", chargePointModel: "HYC300", firmwareVersion: "3.4.1" }
    : { reason: "PowerUp", chargingStation: { vendorName: "Alpitronic", model: "HYC300", firmwareVersion: "3.4.1" } };
}

/** Sends what a TriggerMessage asked for: the meter's register, a heartbeat, a boot. */
export function obeyTrigger(
  station: LedgerStation,
  version: "1.6" | "2.0.1" | "2.1",
  trigger: Payload,
  energyWh: number,
): void {
  const timestamp = new Date().toISOString();
  const measurand = "Energy.Active.Import.Register";
  if (trigger["requestedMessage"] === "Heartbeat") void station.call("Heartbeat");
  if (trigger["requestedMessage"] === "BootNotification") void station.call("BootNotification", bootPayload(version));
  if (trigger["requestedMessage"] !== "MeterValues") return;
  void station.call(
    "MeterValues",
    version === "1.6"
      ? {
          connectorId: trigger["connectorId"] ?? 1,
          meterValue: [{ timestamp, sampledValue: [{ value: String(energyWh), measurand, unit: "Wh" }] }],
        }
      : {
          evseId: (trigger["evse"] as Payload | undefined)?.["id"] ?? 1,
          meterValue: [{ timestamp, sampledValue: [{ value: energyWh, measurand }] }],
        },
  );
}
