import type { CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { Sql } from "../database.ts";
import type { LoggedFrame } from "../message-log/record-frames.ts";
import type { KnownStation } from "../stations/known-station.ts";
import type { BootReport } from "../stations/record-boot.ts";
import type { StationConnectionEvent } from "../stations/record-connection.ts";
import type { Seen } from "../stations/record-seen.ts";
import type { StatusReport } from "../stations/record-status.ts";
import type { QuarantinedMessage } from "../transactions/quarantine.ts";
import type { ReceivedEvent } from "../transactions/record-events.ts";
import type { ReceivedReading } from "../transactions/record-meter-values.ts";

export type CommandEvent = { commandId: string; at: Date } & (
  | { kind: "sent" }
  | { kind: "outcome"; outcome: CommandOutcome }
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
  readonly quarantined: QuarantinedMessage[] = [];
  readonly commands: CommandEvent[] = [];
  /** Entries that were acknowledged and that Redis lost, as the lane's writer noticed. */
  readonly gaps: { laneId: string; fromId: number; toId: number }[] = [];
  /** The lane's writer stopped in order; nothing follows. */
  sealed = false;
  readonly #seen = new Map<string, Seen>();

  get seen(): Seen[] {
    return [...this.#seen.values()];
  }

  /** A sign of life. */
  saw(station: KnownStation, at: Date): void {
    const seen = this.#seen.get(station.id);
    if (seen === undefined)
      this.#seen.set(station.id, { stationId: station.id, lastSeenAt: at, lastHeartbeatAt: undefined });
    else if (seen.lastSeenAt < at) seen.lastSeenAt = at;
  }

  /** A Heartbeat: a sign of life as well. */
  heard(station: KnownStation, at: Date): void {
    this.saw(station, at);
    const seen = this.#seen.get(station.id) as Seen;
    if (seen.lastHeartbeatAt === undefined || seen.lastHeartbeatAt < at) seen.lastHeartbeatAt = at;
  }
}
