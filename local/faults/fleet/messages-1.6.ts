import type { Reading } from "./meter.ts";

/** BootNotification (C16 §4.2). */
export const boot16 = (identity: string) => ({
  chargePointVendor: "Fleet",
  chargePointModel: "Thin 16",
  chargePointSerialNumber: identity.slice(0, 25), // CiString25Type
  firmwareVersion: "1.0.0",
});

/** One element of a meterValue or of transactionData: all readings of one moment. */
export const meterValue16 = (timestamp: string, readings: readonly Reading[], context: string) => ({
  timestamp,
  sampledValue: readings.map(({ measurand, phase, value, unit }) => ({
    value: String(value),
    context,
    measurand,
    ...(phase !== undefined && { phase }),
    location: "Outlet",
    unit,
  })),
});

/** The status in an answer's idTagInfo; undefined: it has none. */
export const idTagStatus = (answer: Record<string, unknown>): unknown =>
  (answer["idTagInfo"] as { status?: unknown } | undefined)?.status;
