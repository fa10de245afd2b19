import { WebSocket } from "ws";
import type { StationCredentials } from "../contract.ts";
import type { FleetProcessContext, Origin } from "./fleet-process-context.ts";

/** What a station learns of its connection. */
interface LinkOwner {
  opened(): void;
  received(text: string): void;
  /** The connection that was open is gone. Another one is under way. */
  lost(): void;
}

interface LinkDeps extends FleetProcessContext {
  credentials: StationCredentials;
  /** Among all stations of the fleet. */
  index: number;
  random: () => number;
  owner: LinkOwner;
}

/** RFC 6455 §7.1.5: closed without a close frame. Never on the wire. */
const ABNORMAL = 1006;
const HOSTS_PER_NETWORK = 254;

/** A station's way to the CSMS: one connection after the other, each to another gateway, with the back-off of OCPP 2.x in between. */
export class StationLink {
  /** How many connections were opened so far; the number of the open one. */
  connection = 0;
  readonly #deps: LinkDeps;
  readonly #authorization: string;
  #socket: WebSocket | undefined;
  #isOpen = false;
  #reads = true;
  #origin = -1;
  /** Failed attempts since the last connection. */
  #failures = 0;
  /** Grows with each plan: an older one that comes due is void. */
  #plan = 0;

  constructor(deps: LinkDeps) {
    this.#deps = deps;
    const { identity, password } = deps.credentials;
    this.#authorization = `Basic ${Buffer.from(`${identity}:${password}`).toString("base64")}`;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Connects in so many ms, to this origin or to another than the last one. What was planned before is void. */
  connectIn(ms: number, origin?: number): void {
    const plan = (this.#plan += 1);
    this.#deps.wheel.after(ms, () => {
      if (plan === this.#plan && this.#socket === undefined) this.#open(origin ?? this.#otherOrigin());
    });
  }

  /** Ends the connection without a close frame. @param why for the count of closes */
  drop(why: string): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#plan += 1;
    if (this.#isOpen) this.#lost(ABNORMAL, why);
    else this.#socket = undefined;
    socket.terminate();
  }

  /** Ends the connection and connects again after the back-off. */
  reconnect(why: string): void {
    this.drop(why);
    this.connectIn(this.#backOffMs());
  }

  send(text: string): void {
    this.#socket?.send(text);
  }

  /** False: nothing is read from this and the next connections. */
  read(reads: boolean): void {
    this.#reads = reads;
    if (!this.#isOpen) return;
    if (reads) this.#socket?.resume();
    else this.#socket?.pause();
  }

  #open(origin: number): void {
    const { origins, credentials, settings, tally, nowMs, owner } = this.#deps;
    const { url } = origins[origin] as Origin;
    this.#origin = origin;
    const startedAtMs = nowMs();
    const socket = new WebSocket(
      `${url}/ocpp/${credentials.version}/${encodeURIComponent(credentials.identity)}`,
      [`ocpp${credentials.version}`],
      {
        headers: { Authorization: this.#authorization },
        handshakeTimeout: settings.handshakeTimeoutMs,
        localAddress: this.#address(),
        perMessageDeflate: false,
        skipUTF8Validation: true,
      },
    );
    this.#socket = socket;
    const isOurs = () => this.#socket === socket;
    socket.on("open", () => {
      if (!isOurs()) return;
      tally.handshakeMs.add(nowMs() - startedAtMs);
      this.#opened();
    });
    socket.on("message", (data) => {
      if (isOurs()) owner.received((data as Buffer).toString());
    });
    socket.on("unexpected-response", (_request, response) => {
      if (isOurs()) this.#refused(String(response.statusCode), (Number(response.headers["retry-after"]) || 0) * 1_000);
    });
    // A connection that breaks has a close event too; one that does not come about is told of here first.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (isOurs() && !this.#isOpen) this.#refused(error.code ?? error.message, 0);
    });
    socket.on("close", (code) => {
      if (!isOurs() || !this.#isOpen) return;
      this.#lost(code, String(code));
      this.connectIn(this.#backOffMs());
    });
  }

  #opened(): void {
    const { ledger, credentials, origins, nowMs, owner } = this.#deps;
    this.connection += 1;
    this.#isOpen = true;
    this.#failures = 0;
    const gateway = (origins[this.#origin] as Origin).name;
    ledger.add(["opened", nowMs(), credentials.identity, this.connection, gateway]);
    if (!this.#reads) this.#socket?.pause();
    owner.opened();
  }

  #refused(why: string, retryAfterMs: number): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#deps.tally.refused(why);
    this.connectIn(Math.max(this.#backOffMs(), retryAfterMs));
    socket?.terminate();
  }

  #lost(code: number, why: string): void {
    const { ledger, credentials, tally, nowMs, owner } = this.#deps;
    this.#socket = undefined;
    this.#isOpen = false;
    tally.closed(why);
    ledger.add(["closed", nowMs(), credentials.identity, this.connection, code]);
    owner.lost();
  }

  /** 2.x, errata 2025-09 §4.12: the wait doubles so many times, and begins anew after a success. */
  #backOffMs(): number {
    const { settings, random } = this.#deps;
    const doublings = Math.min(this.#failures, settings.retryBackOffRepeatTimes);
    this.#failures += 1;
    return settings.retryBackOffWaitMinimumMs * 2 ** doublings + random() * settings.retryBackOffRandomRangeMs;
  }

  /** As a load balancer would choose, save that it never leads back at once. */
  #otherOrigin(): number {
    const { origins, random } = this.#deps;
    if (this.#origin < 0 || origins.length === 1) return Math.floor(random() * origins.length);
    return (this.#origin + 1 + Math.floor(random() * (origins.length - 1))) % origins.length;
  }

  /** All of 127.0.0.0/8 is this machine on Linux. */
  #address(): string {
    const count = this.#deps.settings.sourceAddresses;
    if (count <= 1) return "127.0.0.1";
    const n = this.#deps.index % count;
    const network = Math.floor(n / HOSTS_PER_NETWORK);
    return `127.${10 + Math.floor(network / 256)}.${network % 256}.${1 + (n % HOSTS_PER_NETWORK)}`;
  }
}
