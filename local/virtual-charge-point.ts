import { setTimeout as pause } from "node:timers/promises";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { createRPCError, RPCClient } from "ocpp-rpc";
import { behaviour16 } from "./virtual-charge-point-1.6.ts";
import { behaviour2x } from "./virtual-charge-point-2.x.ts";

export interface VirtualUnit {
  /** The identity: last part of the URL, and the user name. */
  chargePointId: string;
  password: string;
  version: OcppVersion;
  /** URLs up to the identity, such as `ws://localhost:9000/ocpp/1.6`. When one fails the next is tried. */
  endpoints: string[];
  vendor: string;
  model: string;
  serialNumber: string;
  firmwareVersion: string;
  connectors: number;
}

export interface Exchange {
  from: "station" | "csms";
  /** OCPP-J as it went over the wire. */
  text: string;
}

/** What a station of one OCPP version says, and how it answers. Pure: the connection is the virtual charge point's. */
export interface Behaviour {
  boot(unit: VirtualUnit): Call;
  heartbeat(): Call;
  status(connector: number, at: Date): Call;
  meterValues(connector: number, energyWh: number, at: Date, why: "Trigger" | "Sample.Periodic"): Call;
  /** Undefined: the station does not know the action. `followedBy` is what it sends after its answer. */
  answer(
    action: string,
    params: Record<string, unknown>,
    unit: VirtualUnit,
  ): { reply: Record<string, unknown>; followedBy?: Follow[] } | undefined;
}

export interface Call {
  action: string;
  payload: Record<string, unknown>;
}

/** Something to send that depends on the station's state, or a finished message. */
export type Follow = "boot" | "heartbeat" | "status" | { meterValuesOf: number } | { statusOf: number } | Call;

const LONGEST_RETRY_MS = 10_000;

/**
 * A charge point in software: connects with Basic auth, boots until it is accepted, sends statuses and heartbeats, has
 * meters that run, answers commands, and connects again when it loses its connection. The `ocpp-rpc` client underneath
 * checks all it sends and gets against the published schemas (1.6 and 2.0.1; it has none for 2.1).
 */
export class VirtualChargePoint {
  readonly unit: VirtualUnit;
  readonly #behaviour: Behaviour;
  readonly #client: RPCClient;
  readonly #onExchange: (exchange: Exchange) => void;
  readonly #meterStartedAt = Date.now();
  #closing = false;
  #wasConnected = false;
  #isReconnecting = false;
  #tried = 0;
  #accepted = Promise.withResolvers<void>();
  #heartbeats: NodeJS.Timeout | undefined;

  constructor(unit: VirtualUnit, { onExchange = () => {} }: { onExchange?: (exchange: Exchange) => void } = {}) {
    this.unit = unit;
    this.#behaviour = unit.version === "1.6" ? behaviour16 : behaviour2x;
    this.#onExchange = onExchange;
    const subprotocol = `ocpp${unit.version}`;
    const settings = {
      identity: unit.chargePointId,
      endpoint: this.#endpoint(),
      password: unit.password,
      protocols: [subprotocol],
      strictMode: unit.version === "2.1" ? false : [subprotocol],
      reconnect: false, // done here: over all endpoints
      callTimeoutMs: 30_000,
    };
    this.#client = new RPCClient(settings as unknown as ConstructorParameters<typeof RPCClient>[0]);
    this.#client.on("message", ({ message, outbound }: { message: unknown; outbound: boolean }) =>
      this.#onExchange({ from: outbound ? "station" : "csms", text: String(message) }),
    );
    this.#client.on("close", () => void this.#connectAgain());
    this.#client.handle((async ({ method, params }: { method?: string; params?: Record<string, unknown> }) =>
      this.#answer(method ?? "", params ?? {})) as Parameters<RPCClient["handle"]>[0]);
  }

  /**
   * Connects and boots. Resolves when the CSMS has accepted it and it has sent its statuses.
   *
   * @throws when the first connection is refused: wrong password, unknown identity
   */
  async start(): Promise<void> {
    await this.#client.connect();
    this.#wasConnected = true;
    void this.#open();
    await this.#accepted.promise;
  }

  /** Sends one CALL, after those before it. Resolves to the CALLRESULT's payload, rejects with the CALLERROR. */
  async call(action: string, payload: Record<string, unknown>): Promise<Record<string, unknown>> {
    return (await this.#client.call(action, payload)) as Record<string, unknown>;
  }

  /** A reading of the energy register: it runs at 3.6 kW, from a total that the unit came with. */
  energyWh(): number {
    return 12_500 + Math.round((Date.now() - this.#meterStartedAt) / 1_000);
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#heartbeats);
    await this.#client.close({ code: 1000, reason: "" });
  }

  #endpoint(): string {
    return this.unit.endpoints[this.#tried % this.unit.endpoints.length] as string;
  }

  /** Boots until it is accepted. Never rejects: a connection that is lost meanwhile is followed by the next one. */
  async #open(): Promise<void> {
    for (;;) {
      const { action, payload } = this.#behaviour.boot(this.unit);
      const answer = await this.call(action, payload).catch((): Record<string, unknown> => ({ interval: 5 }));
      if (this.#client.state !== RPCClient.OPEN) return;
      const intervalMs = Math.max(1, Number(answer["interval"]) || 0) * 1_000;
      if (answer["status"] === "Accepted") {
        clearInterval(this.#heartbeats);
        this.#heartbeats = setInterval(() => void this.#follow(["heartbeat"]), intervalMs).unref();
        break;
      }
      await pause(intervalMs);
    }
    await this.#follow(["status"]);
    this.#accepted.resolve();
  }

  async #connectAgain(): Promise<void> {
    // A connection that fails ends in a close event as well: one loop is enough.
    if (!this.#wasConnected || this.#isReconnecting) return;
    this.#isReconnecting = true;
    clearInterval(this.#heartbeats);
    for (let retryMs = 250; !this.#closing; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
      await pause(retryMs * (0.5 + Math.random()));
      if (this.#closing) return;
      this.#tried += 1;
      this.#client.reconfigure({ endpoint: this.#endpoint() } as unknown as Parameters<RPCClient["reconfigure"]>[0]);
      const isOpen = await this.#client.connect().then(
        () => true,
        () => false,
      ); // refused or away: the next one
      if (isOpen) break;
    }
    this.#isReconnecting = false;
    if (!this.#closing) await this.#open();
  }

  async #answer(action: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    const answer = this.#behaviour.answer(action, params, this.unit);
    if (!answer) throw createRPCError("NotImplemented", `${action} is not known to this charge point`, {});
    // After the answer is on its way: what was triggered comes later than the answer to the trigger.
    if (answer.followedBy) setTimeout(() => void this.#follow(answer.followedBy ?? []), 20);
    return answer.reply;
  }

  /** A message that cannot be sent, because the connection is lost, is dropped: as real units do with what was triggered. */
  async #follow(messages: Follow[]): Promise<void> {
    for (const message of messages) await this.#send(message).catch(() => {});
  }

  async #send(message: Follow): Promise<void> {
    const now = new Date();
    const send = ({ action, payload }: Call) => this.call(action, payload);
    if (message === "boot") await send(this.#behaviour.boot(this.unit));
    else if (message === "heartbeat") await send(this.#behaviour.heartbeat());
    else if (message === "status")
      for (let connector = 1; connector <= this.unit.connectors; connector++)
        await send(this.#behaviour.status(connector, now));
    else if ("meterValuesOf" in message)
      await send(this.#behaviour.meterValues(message.meterValuesOf, this.energyWh(), now, "Trigger"));
    else if ("statusOf" in message) await send(this.#behaviour.status(message.statusOf, now));
    else await send(message);
  }
}
