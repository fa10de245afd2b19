import type { Registration } from "@dynamo-csms/proto/station-record";

/**
 * Whether a station in this state of registration may send this CALL. The state belongs to the identity, not to the
 * socket: an accepted station that reconnects need not boot again (J16 §5.4, P4 §5.4).
 * 1.6 edition 2 §4.2 BootNotification; 2.x Part 2 B01.FR.10, B02.FR.09, B03.FR.07.
 * @param askedFor whether we asked for this message on this connection
 */
export function mayCall(registration: Registration, action: string, askedFor: (action: string) => boolean): boolean {
  switch (registration) {
    case "accepted":
      return true;
    case "pending":
    case "unknown":
      return action === "BootNotification" || askedFor(action);
    case "rejected":
      return action === "BootNotification";
  }
}

/** Names in TriggerMessage that are not the action they trigger. */
const TRIGGERED: Record<string, string> = {
  SignChargePointCertificate: "SignCertificate",
  SignChargingStationCertificate: "SignCertificate",
  SignV2GCertificate: "SignCertificate",
  SignV2G20Certificate: "SignCertificate",
  SignCombinedCertificate: "SignCertificate",
};

/** The CALL that the station owes us once it accepted this one of ours; undefined: none. @param payload valid JSON text */
export function askedForBy(action: string, payload: string): string | undefined {
  switch (action) {
    case "TriggerMessage":
    case "ExtendedTriggerMessage": {
      const requested = (JSON.parse(payload) as { requestedMessage?: unknown }).requestedMessage;
      if (typeof requested !== "string") return undefined;
      return Object.hasOwn(TRIGGERED, requested) ? TRIGGERED[requested] : requested;
    }
    case "GetBaseReport":
    case "GetReport":
      return "NotifyReport";
    default:
      return undefined;
  }
}

/** Starting or stopping somebody's session is for stations in service only (1.6 edition 2 §4.2; 2.x B02.FR.05). */
const IN_SERVICE_ONLY = new Set([
  "RemoteStartTransaction",
  "RemoteStopTransaction",
  "RequestStartTransaction",
  "RequestStopTransaction",
]);

/** Why this CALL of ours may not be sent to the station now; undefined: it may. */
export function whyNotSend(registration: Registration, action: string): string | undefined {
  if (registration === "rejected") return "the station's registration is rejected: nothing may be sent to it";
  if (registration !== "accepted" && IN_SERVICE_ONLY.has(action))
    return "the station's registration is not accepted yet";
  return undefined;
}
