import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { SigningRequest } from "../certificates/certificate-requests.ts";
import type { CertificateUse } from "../certificates/first-uses.ts";
import type { PasswordLogin } from "../credentials/confirm-logins.ts";
import type { DataTransfer } from "../data-transfer/record-data-transfers.ts";
import type { ChargingReport } from "../charging-profiles/record-charging-reports.ts";
import type { ProfileReport } from "../charging-profiles/record-profile-reports.ts";
import type { Sql } from "../database.ts";
import type { TransferReport } from "../firmware/record-transfer-reports.ts";
import type { ReservationUpdate } from "../reservations/record-reservations.ts";
import type { AcceptedBoot } from "../device-model/ask-base-report.ts";
import type { ReportPart } from "../device-model/record-reports.ts";
import type { VariableFact } from "../device-model/variable-facts.ts";
import type { StationEvent } from "../monitoring/record-station-events.ts";
import type { SecurityEvent } from "../security-events/record-security-events.ts";
import type { ItemChange } from "../station-items/record-items.ts";
import type { Notice } from "../station-notices/record-notices.ts";
import type { LoggedFrame } from "../message-log/record-frames.ts";
import type { OversizedFrame, QuirkReport } from "../quirks/record-quirks.ts";
import type { KnownStation } from "../stations/known-station.ts";
import type { BootReport } from "../stations/record-boot.ts";
import type { StationConnectionEvent } from "../stations/record-connection.ts";
import type { Seen } from "../stations/record-seen.ts";
import type { StatusReport } from "../stations/record-status.ts";
import type { Authorization } from "../sessions/tell-authorizations.ts";
import type { QuarantinedMessage } from "../transactions/quarantine.ts";
import type { ReceivedEvent } from "../transactions/event-changes.ts";
import type { ReceivedReading } from "../transactions/record-meter-values.ts";
import type { Settlement } from "../transactions/record-settlements.ts";
import type { ReceivedSignedSample } from "../transactions/record-signed-samples.ts";

export type CommandEvent = { commandId: string; at: Date } & (
  | { kind: "sent" }
  | { kind: "outcome"; outcome: CommandOutcome; epoch: number }
);

/**
 * What a batch of frames comes to. Collected first, without I/O, and then written table by table (write-effects.ts):
 * a statement per frame would cost ten times as much.
 */
export class Effects {
  readonly frames: LoggedFrame[] = [];
  readonly statuses: StatusReport[] = [];
  readonly connections: StationConnectionEvent[] = [];
  readonly boots: BootReport[] = [];
  /** Stations whose boot was answered "Accepted". */
  readonly accepted = new Set<string>();
  /** 1.6 starts and stops: rare, each decided by what is on record, in the order of the lane. */
  readonly transactions: ((sql: Sql) => Promise<void>)[] = [];
  readonly transactionEvents: (ReceivedEvent & { message: QuarantinedMessage })[] = [];
  readonly readings: ReceivedReading[] = [];
  readonly signedSamples: ReceivedSignedSample[] = [];
  readonly settlements: Settlement[] = [];
  /** Accepted ones. */
  readonly authorizations: Authorization[] = [];
  readonly quarantined: QuarantinedMessage[] = [];
  readonly commands: CommandEvent[] = [];
  readonly transferReports: TransferReport[] = [];
  readonly chargingReports: ChargingReport[] = [];
  readonly profileReports: ProfileReport[] = [];
  readonly reservations: ReservationUpdate[] = [];
  readonly variables: VariableFact[] = [];
  readonly reportParts: ReportPart[] = [];
  readonly items: ItemChange[] = [];
  readonly stationEvents: StationEvent[] = [];
  readonly notices: Notice[] = [];
  readonly securityEvents: SecurityEvent[] = [];
  readonly dataTransfers: DataTransfer[] = [];
  /** Boots after which a station may be asked what it is made of. */
  readonly acceptedBoots: AcceptedBoot[] = [];
  /** What quirk profiles forgave, or would have. */
  readonly quirks: QuirkReport[] = [];
  /** Connections that ended because of a frame over the limit. */
  readonly oversized: OversizedFrame[] = [];
  readonly passwordLogins: PasswordLogin[] = [];
  readonly certificateUses: CertificateUse[] = [];
  /** SignCertificates that were answered "Accepted". */
  readonly signingRequests: SigningRequest[] = [];
  /** Entries that were acknowledged and that Redis lost, as the lane's writer noticed. */
  readonly gaps: { laneId: string; fromId: number; toId: number }[] = [];
  /** Entries that never were, as the lane's writer explains them. */
  readonly skipped: { laneId: string; first: number; last: number }[] = [];
  /** The lane's writer stopped in order; nothing follows. */
  sealed = false;
  readonly #seen = new Map<string, SeenMs>();

  /** Stations that just connected, or whose boot was accepted: commands may wait for them. */
  get reachable(): string[] {
    const opened = this.connections.filter((event) => event.kind !== "closed").map((event) => event.station.id);
    return [...new Set([...opened, ...this.accepted])];
  }

  get seen(): Seen[] {
    return Array.from(this.#seen, ([stationId, { lastSeenMs, lastHeartbeatMs }]) => ({
      stationId,
      lastSeenAt: new Date(lastSeenMs),
      lastHeartbeatAt: lastHeartbeatMs === undefined ? undefined : new Date(lastHeartbeatMs),
    }));
  }

  /** A sign of life. */
  saw(station: KnownStation, atMs: number): void {
    const seen = this.#seen.get(station.id);
    if (seen === undefined) this.#seen.set(station.id, { lastSeenMs: atMs, lastHeartbeatMs: undefined });
    else if (seen.lastSeenMs < atMs) seen.lastSeenMs = atMs;
  }

  /** A Heartbeat: a sign of life as well. */
  heard(station: KnownStation, atMs: number): void {
    this.saw(station, atMs);
    const seen = this.#seen.get(station.id) as SeenMs;
    if (seen.lastHeartbeatMs === undefined || seen.lastHeartbeatMs < atMs) seen.lastHeartbeatMs = atMs;
  }
}

interface SeenMs {
  lastSeenMs: number;
  lastHeartbeatMs: number | undefined;
}
