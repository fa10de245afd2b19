import type { KnownStation } from "../stations/known-station.ts";

/** What counts whoever sent it: energy that was taken, and what happened to security. */
const OUTLIVES_HARDWARE = new Set([
  "StartTransaction",
  "StopTransaction",
  "MeterValues",
  "TransactionEvent",
  "SecurityEventNotification",
]);

/**
 * Whether a frame says something of a unit that was replaced since: it was on its way while the bay got a new one, whose
 * status, firmware or settings it must not pretend to tell. @param action undefined for events of the connection
 */
export const isOfReplacedHardware = (station: KnownStation, epoch: number, action?: string): boolean =>
  epoch <= (station.hardwareEpoch ?? 0) && (action === undefined || !OUTLIVES_HARDWARE.has(action));
