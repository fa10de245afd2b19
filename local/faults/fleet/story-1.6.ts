import { ConnectorStatuses } from "./connector-statuses.ts";
import { COMMANDS_16 } from "./commands-1.6.ts";
import { boot16, idTagStatus, meterValue16 } from "./messages-1.6.ts";
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
  connector: number;
  idTag: string;
  phase: "preparing" | "authorizing" | "authorized" | "started" | "charging" | "stopped";
  readingsLeft: number;
  /** The business key of its StartTransaction; "" before. */
  ref: string;
  /** Of the start. */
  begin: { timestamp: string; energyWh: number };
  /** Told by the CSMS in its answer to the start. */
  transactionId: number | undefined;
  /** Its start was refused for good: what follows it has nothing to refer to. */
  lost: boolean;
  stopReason: string | undefined;
}

/** A station that speaks OCPP 1.6. All phases of a transaction are here, however long that makes it: they read down the page. */
export class Story16 implements Story {
  readonly statuses: ConnectorStatuses;
  readonly teller: Teller;
  readonly #meter: Meter;
  #session: Session | undefined;
  #lastConnector = 0;

  constructor(teller: Teller) {
    this.teller = teller;
    this.#meter = new Meter(() => teller.random());
    this.statuses = new ConnectorStatuses({
      teller,
      placeOf: (connector) => `0:${connector}`,
      payload: (connectorId, status, timestamp) => ({ connectorId, errorCode: "NoError", status, timestamp }),
    });
  }

  boot(): Message {
    return {
      action: "BootNotification",
      key: "boot",
      transactional: false,
      early: true,
      payload: () => boot16(this.teller.identity),
    };
  }

  booted(): void {
    this.statuses.tellAll();
  }

  /** C16 §4.9: what changed while it was away. */
  reconnected(): void {
    this.statuses.tellUntold();
  }

  rebooting(type: string): void {
    this.#stop(type === "Hard" ? "HardReset" : "SoftReset");
    this.#session = undefined;
  }

  tell(): void {
    if (this.teller.isConnected() && this.teller.random() < HEARTBEAT_SHARE) return this.teller.say(heartbeat());
    // A step that tells nothing without a connection leads to the next one; the start of a transaction is always told.
    while (!this.#step());
  }

  command(action: string, payload: Record<string, unknown>): Reply {
    return COMMANDS_16.get(action)?.(payload, this) ?? { error: "NotImplemented" };
  }

  get transactionId(): number | undefined {
    return this.#isCharging() ? this.#session?.transactionId : undefined;
  }

  get isBusy(): boolean {
    return this.#session !== undefined;
  }

  /** RemoteStartTransaction: at once, whatever the pace. */
  startRemotely(connector: number, idTag: string): void {
    const session = this.#begin(connector, idTag);
    this.statuses.set(connector, "Preparing");
    this.#start(session);
  }

  /** RemoteStopTransaction. */
  stopRemotely(): void {
    this.#stop("Remote");
  }

  /** What TriggerMessage asks for: readings outside of transactions. */
  readNow(connectorId: number): void {
    const timestamp = this.teller.timestamp();
    const readings = this.#meter.sample();
    this.teller.say({
      action: "MeterValues",
      key: `triggered:MeterValues:${connectorId}:${timestamp}:${readings.length}`,
      transactional: false,
      early: true,
      payload: () => ({ connectorId, meterValue: [meterValue16(timestamp, readings, "Trigger")] }),
    });
  }

  #isCharging(): boolean {
    const phase = this.#session?.phase;
    return phase === "started" || phase === "charging";
  }

  #begin(connector: number, idTag: string): Session {
    this.#lastConnector = connector;
    this.#session = {
      connector,
      idTag,
      phase: "preparing",
      readingsLeft: readingsOf(this.teller.random()),
      ref: "",
      begin: { timestamp: "", energyWh: 0 },
      transactionId: undefined,
      lost: false,
      stopReason: undefined,
    };
    return this.#session;
  }

  /** @returns whether something was told */
  #step(): boolean {
    const session = this.#session;
    if (session === undefined) return this.#arrive();
    switch (session.phase) {
      case "preparing":
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
        return session.stopReason === undefined && this.statuses.set(session.connector, "Charging");
      case "charging":
        if (session.readingsLeft > 0 && session.stopReason === undefined) this.#readMeter(session);
        else this.#stop(session.stopReason ?? "Local");
        return true;
      case "stopped":
        this.#session = undefined;
        return this.statuses.set(session.connector, "Available");
    }
  }

  /** A car comes to the next connector that takes one. */
  #arrive(): boolean {
    const { connectors } = this.teller.settings;
    for (let n = 1; n <= connectors; n++) {
      const connector = 1 + ((this.#lastConnector - 1 + n + connectors) % connectors);
      if (this.statuses.of(connector) !== "Available") continue;
      this.#begin(connector, this.teller.idTag);
      return this.statuses.set(connector, "Preparing");
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
      payload: () => ({ idTag: session.idTag }),
      answered: (answer) => {
        const status = idTagStatus(answer);
        session.phase = status === "Accepted" ? "authorized" : "stopped";
        return { status };
      },
      // Nobody to ask: its list of known tokens decides (C16 §3.5).
      givenUp: () => void (session.phase = "authorized"),
    });
  }

  #start(session: Session): void {
    const timestamp = this.teller.timestamp();
    const { connector, idTag } = session;
    const { energyWh } = this.#meter;
    session.phase = "started";
    session.ref = `start:${connector}:${timestamp}`;
    session.begin = { timestamp, energyWh };
    this.teller.say({
      action: "StartTransaction",
      key: session.ref,
      transactional: true,
      payload: () => ({ connectorId: connector, idTag, meterStart: energyWh, timestamp }),
      answered: (answer) => {
        const status = idTagStatus(answer);
        session.transactionId = Number(answer["transactionId"]);
        // StopTransactionOnInvalidId
        if (status !== "Accepted") session.stopReason = "DeAuthorized";
        return { transactionId: answer["transactionId"], status };
      },
      givenUp: () => void (session.lost = true),
    });
  }

  #readMeter(session: Session): void {
    session.readingsLeft -= 1;
    const timestamp = this.teller.timestamp();
    const readings = this.#meter.sample();
    this.teller.say({
      action: "MeterValues",
      key: `meter:${session.ref}:${timestamp}:${readings.length}`,
      transactional: true,
      payload: () => ({
        connectorId: session.connector,
        transactionId: session.transactionId,
        meterValue: [meterValue16(timestamp, readings, "Sample.Periodic")],
      }),
      moot: () => session.lost,
    });
  }

  #stop(reason: string): void {
    const session = this.#session;
    if (session === undefined || !this.#isCharging()) return;
    session.phase = "stopped";
    const timestamp = this.teller.timestamp();
    this.#meter.sample();
    const end = this.#meter.register();
    const { begin, idTag } = session;
    this.teller.say({
      action: "StopTransaction",
      key: `stop:${session.ref}:${timestamp}`,
      transactional: true,
      payload: () => ({
        transactionId: session.transactionId,
        ...(reason === "Local" && { idTag }),
        meterStop: end[0]?.value ?? 0,
        timestamp,
        reason,
        transactionData: [
          meterValue16(
            begin.timestamp,
            end.map((reading) => ({ ...reading, value: begin.energyWh })),
            "Transaction.Begin",
          ),
          meterValue16(timestamp, end, "Transaction.End"),
        ],
      }),
      moot: () => session.lost,
    });
  }
}
