import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { framePrefix } from "@dynamo-csms/proto/stream-entry";
import type { Logger } from "pino";
import type { Conversation } from "../inbound/conversation.ts";
import type { ClientCertificate } from "./client-certificate.ts";
import type { CloseCode } from "./close-codes.ts";
import type { ListenerProfile } from "./listener.ts";

/** What a session needs of its WebSocket. */
export interface StationSocket {
  /**
   * False: the frame was dropped (back-pressure limit) or the socket is gone; the session is then closed.
   * @param text or its UTF-8 bytes, which are the caller's again when this returns
   */
  send(text: string | Uint8Array): boolean;
  close(code: CloseCode, reason: string): void;
  /** Sends a ping. True when anything comes in within the time. */
  answersPing(timeoutMs: number): Promise<boolean>;
  /** The station's record changed, and with it perhaps how the connection is kept alive. */
  recordChanged(record: StationSettings): void;
}

/** How a connection came to be, for the station's list of attempts. */
export interface Handshake {
  path: string;
  /** As they were offered. */
  subprotocols: string;
  listener: ListenerProfile;
}

export interface SessionFacts {
  identity: StationIdentity;
  version: OcppVersion;
  /** Owner epoch: this connection's fencing token. */
  epoch: number;
  record: StationSettings;
  remoteAddress: string;
  handshake?: Handshake;
  /** By which it was let in, with security profile 3. */
  clientCertificate?: ClientCertificate;
  /** Monotonic ms. */
  openedAtMs?: number;
}

/** What of a station's record is of use once it is connected. */
export type StationSettings = Pick<
  StationRecord,
  "rev" | "orgId" | "registration" | "heartbeatIntervalSeconds" | "quirks"
>;

/** Why a connection is closed whose station does not read what we send. */
export const SLOW_READER = "not reading fast enough";

/**
 * One connection of one station, from the upgrade to its close event. There are as many as stations, most of them silent: what
 * only some need is made when it is needed.
 */
export class Session {
  readonly identity: StationIdentity;
  readonly version: OcppVersion;
  readonly epoch: number;
  readonly remoteAddress: string;
  readonly path: string;
  /** As they were offered. */
  readonly subprotocols: string;
  readonly listener: ListenerProfile;
  /** Undefined: it was let in by a password. Its common name is the serial number that BootNotification must tell (A00.FR.405). */
  readonly clientCertificate: ClientCertificate | undefined;
  /** Monotonic, to the millisecond. */
  readonly openedAtMs: number;
  /** Version, epoch and identity as they stand in every lane frame of this connection. */
  readonly prefix: Buffer;
  /** Its registration is accepted: on the session, as it is looked at with every frame. */
  isAccepted: boolean;
  /** The order of its CALLs, once there was a frame: receive-frame.ts. */
  conversation: Conversation | undefined;
  /** Frames received and not yet answered (bounded: see receive-frame.ts). */
  waitingFrames = 0;
  /** False from the moment that we closed it, or that its close event came. Nothing is sent after that. */
  open = true;
  readonly #socket: StationSocket;
  #record: StationSettings;
  #seq = 0;
  /** The process's, until a line of this connection's own is written. */
  #log: Logger;
  #ownLog = false;

  constructor(facts: SessionFacts, socket: StationSocket, log: Logger) {
    this.identity = facts.identity;
    this.version = facts.version;
    this.epoch = facts.epoch;
    this.remoteAddress = facts.remoteAddress;
    this.path = facts.handshake?.path ?? "";
    this.subprotocols = facts.handshake?.subprotocols ?? "";
    this.listener = facts.handshake?.listener ?? 1;
    this.clientCertificate = facts.clientCertificate;
    this.openedAtMs = Math.floor(facts.openedAtMs ?? 0);
    this.#record = settingsOf(facts.record);
    this.isAccepted = facts.record.registration === "accepted";
    this.prefix = framePrefix(facts.version, facts.epoch, facts.identity);
    this.#socket = socket;
    this.#log = log;
  }

  /** Replaced when a BootNotification changed the registration, and by `refresh`. */
  get record(): StationSettings {
    return this.#record;
  }

  set record(record: StationSettings) {
    this.#record = record;
    this.isAccepted = record.registration === "accepted";
  }

  /** With the station and the epoch in each line. */
  get log(): Logger {
    if (!this.#ownLog) {
      this.#log = this.#log.child({ station: this.identity, epoch: this.epoch });
      this.#ownLog = true;
    }
    return this.#log;
  }

  /** The next frame's number within the connection, both directions in one sequence, from 1. */
  nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  /** The number that was given last; 0: none yet. */
  get lastSeq(): number {
    return this.#seq;
  }

  /**
   * Sends a frame. False: it was not sent and the session is closed (a peer that does not read is let go).
   * @param text or its UTF-8 bytes, which are the caller's again when this returns
   */
  send(text: string | Uint8Array): boolean {
    if (!this.open) return false;
    if (this.#socket.send(text)) return true;
    this.close(1013, SLOW_READER);
    return false;
  }

  /** Whether the station is still there: true when anything comes in within the time after a ping. */
  async answersPing(timeoutMs: number): Promise<boolean> {
    return this.open && (await this.#socket.answersPing(timeoutMs));
  }

  /** The registry has another record of the station: it is in force from now on. */
  refresh(record: StationSettings): void {
    this.record = settingsOf(record);
    this.#socket.recordChanged(this.record);
  }

  /** Closes the connection; twice is once. The close event follows and ends what depends on the session. */
  close(code: CloseCode, reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.#socket.close(code, reason);
  }
}

/** The rest of a record, its passwords above all, is not kept for as long as the connection lasts. */
function settingsOf({ rev, orgId, registration, heartbeatIntervalSeconds, quirks }: StationSettings): StationSettings {
  return { rev, orgId, registration, heartbeatIntervalSeconds, ...(quirks && { quirks }) };
}
