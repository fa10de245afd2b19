import type { StationAction } from "@dynamo-csms/ocpp-schemas/actions";
import type { RequestPayload } from "@dynamo-csms/ocpp-schemas/payloads";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { KnownStation } from "../stations/known-station.ts";
import type { QuarantinedMessage, QuarantineReason } from "../transactions/quarantine.ts";
import type { Effects } from "./effects.ts";

/** A CALL or SEND of a station that was answered with success, as the lane has it. */
export interface ReceivedCall<Payload = unknown> {
  station: KnownStation;
  version: OcppVersion;
  epoch: number;
  seq: number;
  /** Gateway clock. */
  receivedAt: Date;
  action: string;
  /** Valid against its schema unless the frame is flagged; then only transaction data gets here, whose readers are tolerant. */
  payload: Payload;
  /** JSON text of the payload, for what numbers would lose. */
  payloadText: string;
  /** Payload of the answer that the station got; undefined where it follows from the action. */
  answer: object | undefined;
}

/** What becomes of a message: adds to the effects, decides nothing, does no I/O. */
export type Step<Payload = unknown> = (call: ReceivedCall<Payload>, effects: Effects) => void;

/** One step per action that a station of the version may send: one that is missing does not compile. */
export type Steps<V extends OcppVersion> = { readonly [A in StationAction<V>]: Step<RequestPayload<V, A>> };

/** For messages that the message log is enough for. */
export const logged: Step = () => {};

/** The message as it is set aside. */
export const asQuarantined = (call: ReceivedCall, reason: QuarantineReason): QuarantinedMessage =>
  new QuarantinedCall(call, reason);

/** Nothing is taken out of the call before it is asked for: one is made beside each reading, and seldom needed. */
class QuarantinedCall implements QuarantinedMessage {
  readonly #call: ReceivedCall;
  readonly reason: QuarantineReason;

  constructor(call: ReceivedCall, reason: QuarantineReason) {
    this.#call = call;
    this.reason = reason;
  }

  get stationId(): string {
    return this.#call.station.id;
  }

  get epoch(): number {
    return this.#call.epoch;
  }

  get seq(): number {
    return this.#call.seq;
  }

  get receivedAt(): Date {
    return this.#call.receivedAt;
  }

  get action(): string {
    return this.#call.action;
  }

  get raw(): string {
    return this.#call.payloadText;
  }
}
