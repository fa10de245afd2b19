import type { Reading } from "./meter.ts";

export interface IdToken {
  idToken: string;
  type: string;
}

/** One TransactionEvent (2.x E01 to E12). */
export interface TransactionEvent {
  eventType: "Started" | "Updated" | "Ended";
  triggerReason: string;
  chargingState: string;
  stoppedReason?: string;
  idToken?: IdToken | undefined;
  remoteStartId?: number | undefined;
  /** With the context "Sample.Periodic" unless another is given. */
  readings?: readonly Reading[];
  context?: string;
}

/** Where an event belongs: which transaction, when, and as which of its events. */
interface Place {
  transactionId: string;
  evse: number;
  seqNo: number;
  timestamp: string;
  /** It happened without a connection (E12). */
  offline: boolean;
}

/** BootNotification (B01). */
export const boot2x = (identity: string, reason: string) => ({
  reason,
  chargingStation: {
    vendorName: "Fleet",
    model: "Thin 2x",
    serialNumber: identity.slice(0, 25),
    firmwareVersion: "1.0.0",
  },
});

/** TransactionEvent; the fields that have nothing to say are left out. */
export function transactionEvent2x(event: TransactionEvent, place: Place): Record<string, unknown> {
  const { eventType, triggerReason, chargingState, stoppedReason, idToken, remoteStartId, readings, context } = event;
  const { transactionId, evse, seqNo, timestamp, offline } = place;
  return {
    eventType,
    timestamp,
    triggerReason,
    seqNo,
    ...(offline && { offline }),
    transactionInfo: {
      transactionId,
      chargingState,
      ...(stoppedReason !== undefined && { stoppedReason }),
      ...(remoteStartId !== undefined && { remoteStartId }),
    },
    evse: { id: evse, connectorId: 1 },
    ...(idToken && { idToken }),
    ...(readings && { meterValue: [meterValue2x(timestamp, readings, context ?? "Sample.Periodic")] }),
  };
}

/** NotifyEvent (N07) of a temperature that changed. */
export const temperature2x = (eventId: number, timestamp: string) => ({
  generatedAt: timestamp,
  seqNo: 0,
  tbc: false,
  eventData: [
    {
      eventId,
      timestamp,
      trigger: "Delta",
      actualValue: String(20 + (eventId % 30)),
      eventNotificationType: "HardWiredNotification",
      component: { name: "ChargingStation" },
      variable: { name: "Temperature" },
    },
  ],
});

/** All readings of one moment. */
export const meterValue2x = (timestamp: string, readings: readonly Reading[], context: string) => ({
  timestamp,
  sampledValue: readings.map(({ measurand, phase, value, unit }) => ({
    value,
    context,
    measurand,
    ...(phase !== undefined && { phase }),
    location: "Outlet",
    unitOfMeasure: { unit },
  })),
});

/** The status in an answer's idTokenInfo; undefined: it has none. */
export const idTokenStatus = (answer: Record<string, unknown>): unknown =>
  (answer["idTokenInfo"] as { status?: unknown } | undefined)?.status;
