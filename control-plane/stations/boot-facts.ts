import type { RequestPayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { storableText } from "../message-log/storable-text.ts";

/** What a station says of itself when booting, the same for all versions. */
export interface BootFacts {
  vendor: string | null;
  model: string | null;
  serialNumber: string | null;
  firmwareVersion: string | null;
  /** 2.x only. */
  reason: string | null;
}

const text = (value: string | undefined): string | null => (value === undefined ? null : storableText(value));

/** Of a BootNotification of 1.6 (C16 §4.2). */
export const bootFacts16 = (boot: RequestPayload<"1.6", "BootNotification">): BootFacts => ({
  vendor: text(boot.chargePointVendor),
  model: text(boot.chargePointModel),
  serialNumber: text(boot.chargePointSerialNumber ?? boot.chargeBoxSerialNumber),
  firmwareVersion: text(boot.firmwareVersion),
  reason: null,
});

/** Of a BootNotification of 2.x (P2 B01). */
export const bootFacts2 = ({
  chargingStation,
  reason,
}: RequestPayload<"2.0.1" | "2.1", "BootNotification">): BootFacts => ({
  vendor: text(chargingStation.vendorName),
  model: text(chargingStation.model),
  serialNumber: text(chargingStation.serialNumber),
  firmwareVersion: text(chargingStation.firmwareVersion),
  reason: text(reason),
});
