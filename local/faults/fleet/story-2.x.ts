import { randomUUID } from "node:crypto";
import { COMMANDS_2X } from "./commands-2.x.ts";
import { ConnectorStatuses } from "./connector-statuses.ts";
import {
  boot2x,
  idTokenStatus,
  meterValue2x,
  temperature2x,
  transactionEvent2x,
  type IdToken,
  type TransactionEvent,
} from "./messages-2.x.ts";
import { Meter } from "./meter.ts";
import type { Message } from "./outbox.ts";
import {
  AUTHORIZE_SHARE,
  heartbeat,
  HEARTBEAT_SHARE,
  readingsOf,
  type Reply,
  type Story,
  type Teller,
} from "./story.ts";

interface Session {
  evse: number;
  idToken: IdToken;
  phase: "occupied" | "authorizing" | "authorized" | "started" | "charging" | "ended";
  readingsLeft: number;
  transactionId: string;
  seqNo: number;
  /** Of RequestStartTransaction. */
  remoteStartId: number | undefined;
  /** Its token was not accepted: it ends. */
  deauthorized: boolean;
}

const NOTIFY_EVENT_SHARE = 0.02;

/**
 * A station that speaks OCPP 2.0.1 or 2.1: what it says is the same in both. All phases of a transaction are here, however long
 * that makes it: they read down the page.
 */
export class Story2x implements Story {
  readonly statuses: ConnectorStatuses;
  readonly teller: Teller;
  readonly #meter: Meter;
  #session: Session | undefined;
  #lastEvse = 0;

  constructor(teller: Teller) {
    this.teller = teller;
    this.#meter = new Meter(() => teller.random());
    this.statuses = new ConnectorStatuses({
      teller,
      placeOf: (evse) => `${evse}:1`,
      payload: (evseId, connectorStatus, timestamp) => ({ timestamp, connectorStatus, evseId, connectorId: 1 }),
    });
  }

  boot(reason: "PowerUp" | "RemoteReset" | "Triggered"): Message {
    return {
      action: "BootNotification",
      key: "boot",
      transactional: false,
      early: true,
      payload: () => boot2x(this.teller.identity, reason),
    };
  }

  booted(): void {
    this.statuses.tellAll();
  }

  /** B04: after a long time away all statuses are told again. */
  reconnected(awayMs: number): void {
    if (awayMs > this.teller.settings.offlineThresholdMs) this.statuses.tellAll();
    else this.statuses.tellUntold();
  }

  rebooting(): void {
    this.#end("ResetCommand", "ImmediateReset");
    this.#session = undefined;
  }

  tell(): void {
    const { teller } = this;
    if (teller.isConnected()) {
      const chance = teller.random();
      if (chance < HEARTBEAT_SHARE) return teller.say(heartbeat());
      if (chance < HEARTBEAT_SHARE + NOTIFY_EVENT_SHARE) return this.#notify();
    }
    // A step that tells nothing without a connection leads to the next one; the start of a transaction is always told.
    while (!this.#step());
  }

  command(action: string, payload: Record<string, unknown>): Reply {
    return COMMANDS_2X.get(action)?.(payload, this) ?? { error: "NotImplemented" };
  }

  get transactionId(): string | undefined {
    return this.#isCharging() ? this.#session?.transactionId : undefined;
  }

  get isBusy(): boolean {
    return this.#session !== undefined;
  }

  /** RequestStartTransaction (F01, F02): at once, whatever the pace. */
  startRemotely(evse: number, idToken: IdToken, remoteStartId: number): void {
    const session = this.#begin(evse, idToken);
    session.remoteStartId = remoteStartId;
    this.statuses.set(evse, "Occupied");
    this.#start(session);
  }

  /** RequestStopTransaction (F03). */
  stopRemotely(): void {
    this.#end("RemoteStop", "Remote");
  }

  /** What TriggerMessage asks for: readings outside of transactions. */
  readNow(evseId: number): void {
    const timestamp = this.teller.timestamp();
    const readings = this.#meter.sample();
    this.teller.say({
      action: "MeterValues",
      key: `triggered:MeterValues:${evseId}:${timestamp}:${readings.length}`,
      transactional: false,
      early: true,
      payload: () => ({ evseId, meterValue: [meterValue2x(timestamp, readings, "Trigger")] }),
    });
  }

  /** TriggerMessage(TransactionEvent). @returns false: no transaction runs */
  tellTransaction(): boolean {
    const session = this.#session;
    if (session === undefined || !this.#isCharging()) return false;
    const readings = this.#meter.sample();
    this.#event(session, {
      eventType: "Updated",
      triggerReason: "Trigger",
      chargingState: "Charging",
      readings,
      context: "Trigger",
    });
    return true;
  }

  #isCharging(): boolean {
    const phase = this.#session?.phase;
    return phase === "started" || phase === "charging";
  }

  #begin(evse: number, idToken: IdToken): Session {
    this.#lastEvse = evse;
    this.#session = {
      evse,
      idToken,
      phase: "occupied",
      readingsLeft: readingsOf(this.teller.random()),
      transactionId: randomUUID(),
      seqNo: 0,
      remoteStartId: undefined,
      deauthorized: false,
    };
    return this.#session;
  }

  /** @returns whether something was told */
  #step(): boolean {
    const session = this.#session;
    if (session === undefined) return this.#arrive();
    switch (session.phase) {
      case "occupied":
      case "authorizing":
        if (session.phase === "authorizing" || !this.teller.isConnected() || this.teller.random() >= AUTHORIZE_SHARE)
          this.#start(session);
        else this.#authorize(session);
        return true;
      case "authorized":
        this.#start(session);
        return true;
      case "started":
        session.phase = "charging";
        if (!session.deauthorized)
          this.#event(session, {
            eventType: "Updated",
            triggerReason: "ChargingStateChanged",
            chargingState: "Charging",
          });
        return !session.deauthorized;
      case "charging":
        if (session.deauthorized) this.#end("Deauthorized", "DeAuthorized");
        else if (session.readingsLeft > 0) this.#readMeter(session);
        else this.#end("StopAuthorized", "Local");
        return true;
      case "ended":
        this.#session = undefined;
        return this.statuses.set(session.evse, "Available");
    }
  }

  /** A car comes to the next EVSE that takes one. */
  #arrive(): boolean {
    const { connectors } = this.teller.settings;
    for (let n = 1; n <= connectors; n++) {
      const evse = 1 + ((this.#lastEvse - 1 + n + connectors) % connectors);
      if (this.statuses.of(evse) !== "Available") continue;
      this.#begin(evse, { idToken: this.teller.idTag, type: "ISO14443" });
      return this.statuses.set(evse, "Occupied");
    }
    if (this.teller.isConnected()) this.teller.say(heartbeat());
    return true;
  }

  #authorize(session: Session): void {
    session.phase = "authorizing";
    this.teller.say({
      action: "Authorize",
      key: `authorize:${this.teller.nextNumber()}`,
      transactional: false,
      payload: () => ({ idToken: session.idToken }),
      answered: (answer) => {
        const status = idTokenStatus(answer);
        session.phase = status === "Accepted" ? "authorized" : "ended";
        return { status };
      },
      // Nobody to ask: its list of known tokens decides (2.x C13).
      givenUp: () => void (session.phase = "authorized"),
    });
  }

  #start(session: Session): void {
    session.phase = "started";
    this.#event(session, {
      eventType: "Started",
      triggerReason: session.remoteStartId === undefined ? "Authorized" : "RemoteStart",
      chargingState: "EVConnected",
      idToken: session.idToken,
      remoteStartId: session.remoteStartId,
      readings: this.#meter.register(),
      context: "Transaction.Begin",
    });
  }

  #readMeter(session: Session): void {
    session.readingsLeft -= 1;
    this.#event(session, {
      eventType: "Updated",
      triggerReason: "MeterValuePeriodic",
      chargingState: "Charging",
      readings: this.#meter.sample(),
    });
  }

  #end(triggerReason: string, stoppedReason: string): void {
    const session = this.#session;
    if (session === undefined || !this.#isCharging()) return;
    session.phase = "ended";
    this.#meter.sample();
    this.#event(session, {
      eventType: "Ended",
      triggerReason,
      stoppedReason,
      chargingState: "EVConnected",
      idToken: stoppedReason === "Local" ? session.idToken : undefined,
      readings: this.#meter.register(),
      context: "Transaction.End",
    });
  }

  #event(session: Session, event: TransactionEvent): void {
    const { eventType, readings } = event;
    const { transactionId, evse } = session;
    const timestamp = this.teller.timestamp();
    const seqNo = session.seqNo++;
    // As it is now: it says so whenever it is sent.
    const offline = !this.teller.isConnected();
    this.teller.say({
      action: "TransactionEvent",
      key: `event:${transactionId}:${seqNo}:${eventType}:${timestamp}:${readings?.length ?? 0}`,
      transactional: true,
      payload: () => transactionEvent2x(event, { transactionId, evse, seqNo, timestamp, offline }),
      answered: (answer) => {
        const status = idTokenStatus(answer);
        if (status === undefined) return {};
        if (eventType === "Started" && status !== "Accepted") session.deauthorized = true;
        return { status };
      },
    });
  }

  #notify(): void {
    const timestamp = this.teller.timestamp();
    const n = this.teller.nextNumber();
    this.teller.say({
      action: "NotifyEvent",
      key: `notify:${n}`,
      transactional: false,
      payload: () => temperature2x(n, timestamp),
    });
  }
}
