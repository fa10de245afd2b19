import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { decodeStationRecord, type Registration } from "@dynamo-csms/proto/station-record";
import type { Logger } from "pino";
import type { Session } from "./session.ts";

interface Deps {
  redis: { hget(key: string, field: string): Promise<string | null> };
  nodeId: string;
  sessions: { get(identity: StationIdentity): Session | undefined };
  /** Stores an event of the connection under its next number. */
  appendEvent(session: Session, event: LaneEvent): void;
  log: Logger;
}

/**
 * Reads a station's record again because it changed: registration, quirks and ping interval are in force from then on, and a
 * connection whose certificate was revoked ends. Without a connection here there is nothing to do. Never rejects: what is
 * not read now is read when the station connects next.
 */
export function createRefreshRecord({
  redis,
  nodeId,
  sessions,
  appendEvent,
  log,
}: Deps): (identity: StationIdentity) => Promise<void> {
  return async (identity) => {
    if (sessions.get(identity) === undefined) return;
    try {
      const text = await redis.hget(stationRecord(identity), "record");
      const session = sessions.get(identity);
      if (text === null || session === undefined) return;
      const record = decodeStationRecord(text);
      // An answer that was overtaken by a later change.
      if (record.rev < session.record.rev) return;
      session.refresh({ ...record, registration: registrationNow(session.record.registration, record.registration) });
      const { clientCertificate } = session;
      if (clientCertificate === undefined || !record.revokedCertificates?.includes(clientCertificate.fingerprint))
        return;
      const techInfo = `connection ended: its client certificate ${clientCertificate.fingerprint} was revoked`;
      appendEvent(session, { event: "securityEvent", nodeId, type: "InvalidChargingStationCertificate", techInfo });
      session.close(1008, "the client certificate was revoked");
    } catch (error) {
      log.warn({ station: identity, error: (error as Error).message }, "station record could not be read again");
    }
  };
}

/**
 * A station that was told "Accepted" hears of anything less in the answer to its next BootNotification (1.6 §4.2, B01.FR.10),
 * and the registry may not know of this connection's boot yet. A rejection holds at once.
 */
function registrationNow(told: Registration, registered: Registration): Registration {
  return told === "accepted" && registered !== "rejected" ? "accepted" : registered;
}
