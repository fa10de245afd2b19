import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { framePrefix } from "@dynamo-csms/proto/stream-entry";
import type { Logger } from "pino";
import type { ClientCertificate } from "./client-certificate.ts";
import type { CloseCode } from "./close-codes.ts";
import type { ListenerProfile } from "./listener.ts";

/** What a session needs of its WebSocket. */
export interface StationSocket {
  /** False: the frame was dropped (back-pressure limit) or the socket is gone; the session is then closed. */
  send(text: string): boolean;
  close(code: CloseCode, reason: string): void;
  /** Sends a ping. True when anything comes in within the time. */
  answersPing(timeoutMs: number): Promise<boolean>;
  /** The station's record changed, and with it perhaps how the connection is kept alive. */
  recordChanged(record: StationRecord): void;
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
  record: StationRecord;
  remoteAddress: string;
  handshake?: Handshake;
  /** By which it was let in, with security profile 3. */
  clientCertificate?: ClientCertificate;
}

/** Why a connection is closed whose station does not read what we send. */
export const SLOW_READER = "not reading fast enough";

/** One connection of one station, from the upgrade to its close event. */
export class Session {
  readonly identity: StationIdentity;
  readonly version: OcppVersion;
  readonly epoch: number;
  readonly remoteAddress: string;
  readonly handshake: Handshake;
  /** Undefined: it was let in by a password. Its common name is the serial number that BootNotification must tell (A00.FR.405). */
  readonly clientCertificate: ClientCertificate | undefined;
  readonly log: Logger;
  /** Version, epoch and identity as they stand in every lane frame of this connection. */
  readonly prefix: Buffer;
  /** Replaced when a BootNotification changed the registration, and by `refresh`. */
  record: StationRecord;
  /** Frames received and not yet answered (bounded: see receive-frame.ts). */
  waitingFrames = 0;
  /** False from the moment that we closed it, or that its close event came. Nothing is sent after that. */
  open = true;
  readonly #socket: StationSocket;
  #seq = 0;

  constructor(facts: SessionFacts, socket: StationSocket, log: Logger) {
    this.identity = facts.identity;
    this.version = facts.version;
    this.epoch = facts.epoch;
    this.remoteAddress = facts.remoteAddress;
    this.handshake = facts.handshake ?? { path: "", subprotocols: "", listener: 1 };
    this.clientCertificate = facts.clientCertificate;
    this.record = facts.record;
    this.prefix = framePrefix(facts.version, facts.epoch, facts.identity);
    this.#socket = socket;
    this.log = log.child({ station: facts.identity, epoch: facts.epoch });
  }

  /** The next frame's number within the connection, both directions in one sequence, from 1. */
  nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  /** Sends a frame. False: it was not sent and the session is closed (a peer that does not read is let go). */
  send(text: string): boolean {
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
  refresh(record: StationRecord): void {
    this.record = record;
    this.#socket.recordChanged(record);
  }

  /** Closes the connection; twice is once. The close event follows and ends what depends on the session. */
  close(code: CloseCode, reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.#socket.close(code, reason);
  }
}
