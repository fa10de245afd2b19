import { Absence } from "./absence.ts";
import type { Agenda } from "./agenda.ts";
import { answerTo } from "./command-answers.ts";
import { Connection } from "./connection.ts";
import { Ledger } from "./ledger.ts";
import type { LoadProfile } from "./load-profile.ts";
import {
  callDuration,
  callErrors,
  disconnects,
  reconnects,
  reconnectTime,
  refusals,
  schemaViolations,
  tagsOf,
} from "./metrics.ts";
import { isAnswer, isRequest } from "./schemas.ts";
import type { Unit } from "./settings.ts";
import { boot16, story16 } from "./story-1.6.ts";
import { boot2x, story2x } from "./story-2.x.ts";
import { about, type Answer, type Call, type Story, type Teller } from "./story.ts";

/** What all stations of a virtual user share. */
export interface World {
  /** The fleet's time, which runs at the pace of the phase. */
  agenda: Agenda;
  /** The wall's. */
  wall: Agenda;
  profile: LoadProfile;
  gateways: readonly string[];
  idTag: string;
  reconnectSeconds: number;
  nowMs(): number;
  phase(): string;
}

interface OpenCall extends Call {
  id: string;
  sentAtMs: number;
  answered(answer: Answer): void;
}

/** A station gives an answer up after so long: what the specifications and most stations have. */
const CALL_TIMEOUT_MS = 30_000;
const MAX_BACKOFF_SECONDS = 30;
/** Multiples of them fill the circle evenly, however many there are, and independently of each other. */
const [GOLDEN_RATIO, PLASTIC_RATIO] = [0.618_033_988_749_895, 0.754_877_666_246_693];

/** A charge point: connects, boots, lives its story with one open CALL at a time, comes back when it is thrown out. */
export class Station {
  readonly ledger = new Ledger();
  readonly absence = new Absence();
  readonly unit: Unit;
  readonly #world: World;
  readonly #story: Story;
  #connection: Connection | undefined;
  #gateway: number;
  readonly #heartbeatPhase: number;
  #open: OpenCall | undefined;
  /** The CALL of the story that waits for its turn. */
  #waiting: (Call & { answered(answer: Answer): void; id?: string }) | undefined;
  #heartbeatDue = false;
  #booted = false;
  #ending = false;
  #refusals = 0;

  constructor(unit: Unit, at: number, world: World) {
    this.unit = unit;
    this.#world = world;
    this.#gateway = at;
    const phase = (at * GOLDEN_RATIO) % 1;
    const teller: Teller = { identity: unit.identity, idTag: world.idTag, random: Math.random, phase };
    this.#heartbeatPhase = (at * PLASTIC_RATIO) % 1;
    this.#story = (unit.version === "1.6" ? story16 : story2x)(teller, world.profile);
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen === true;
  }

  /** No CALL of it is open. */
  get isQuiet(): boolean {
    return this.#open === undefined;
  }

  connect(): void {
    if (this.#ending) return;
    const { gateways } = this.#world;
    const gateway = gateways[this.#gateway % gateways.length] as string;
    let isOpen = false;
    const connection = new Connection(this.unit, gateway, {
      opened: () => {
        isOpen = true;
        this.#opened();
      },
      callResult: (id, payload, atMs) => this.#answered(id, payload, atMs),
      callError: (id) => this.#refused(id),
      call: (id, action, payload) => this.#command(connection, id, action, payload),
      closed: (code) => (isOpen ? this.#lost(code) : this.#notLetIn()),
    });
    this.#connection = connection;
  }

  /** As when the line is cut: it notices, and comes back. */
  drop(): void {
    if (this.isConnected) this.#connection?.close();
  }

  /** Says nothing new any more, and notes whether it is there. */
  rest(): void {
    if (!this.#ending) this.ledger.away = !this.isConnected;
    this.#ending = true;
    if (this.#waiting?.id !== undefined) this.ledger.noteUnanswered(this.#waiting.id);
    this.#waiting = undefined;
  }

  leave(): void {
    this.rest();
    if (this.isConnected) this.#connection?.close();
    if (this.#open !== undefined) this.ledger.noteUnanswered(this.#open.id);
    this.#open = undefined;
  }

  /** To be called about once a second. */
  checkTimeout(): void {
    if (this.#open === undefined || this.#world.nowMs() - this.#open.sentAtMs < CALL_TIMEOUT_MS) return;
    if (this.#open.transactional === true) callErrors.add(true, this.#tags(this.#open.action));
    // It cannot tell a deaf peer from a dead one: a new connection shows which.
    if (this.isConnected) this.#connection?.close();
  }

  #opened(): void {
    const { nowMs } = this.#world;
    this.#refusals = 0;
    const awayMs = this.absence.end(nowMs());
    if (awayMs !== undefined) {
      reconnectTime.add(awayMs, { phase: this.#world.phase() });
      reconnects.add(1, { phase: this.#world.phase() });
    }
    if (this.#booted) this.#next();
    else this.#boot();
  }

  #boot(): void {
    const boot = this.unit.version === "1.6" ? boot16 : boot2x;
    this.#send({
      ...boot(this.unit.identity),
      answered: (answer) => {
        if (answer?.["status"] !== "Accepted") return this.drop();
        this.#booted = true;
        this.#begin();
      },
    });
  }

  #begin(): void {
    const { agenda, profile } = this.#world;
    // Each at a point of its own in the interval.
    agenda.after(this.#heartbeatPhase * profile.heartbeatSeconds, () => this.#heartbeat());
    this.#tell(undefined);
  }

  #heartbeat(): void {
    if (this.#ending) return;
    this.#world.agenda.after(about(this.#world.profile.heartbeatSeconds, Math.random), () => this.#heartbeat());
    this.#heartbeatDue = true;
    this.#next();
  }

  /** Lets the story go on with the answer that it waits for. */
  #tell(answer: Answer): void {
    if (this.#ending) return;
    const { value: step } = this.#story.next(answer);
    if (step === undefined) return;
    if ("waitSeconds" in step) this.#world.agenda.after(step.waitSeconds, () => this.#tell(undefined));
    else {
      this.#waiting = { ...step, answered: (told) => this.#tell(told) };
      this.#next();
    }
  }

  /** One open CALL at a time (C16J §4.1.1). */
  #next(): void {
    if (this.#open !== undefined || !this.#booted || !this.isConnected || this.#ending) return;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      this.#send(waiting);
    } else if (this.#heartbeatDue) {
      this.#heartbeatDue = false;
      this.#send({ action: "Heartbeat", payload: {}, answered: () => {} });
    }
  }

  #send(call: Call & { answered(answer: Answer): void; id?: string }): void {
    if (call.id !== undefined) this.ledger.resent += 1;
    const open = { ...call, id: call.id ?? this.ledger.nextId(call.action), sentAtMs: this.#world.nowMs() };
    this.#open = open;
    this.#connection?.sendCall(open.id, open.action, open.payload);
  }

  #answered(id: string, payload: Record<string, unknown>, atMs: number): void {
    const open = this.#open;
    if (open?.id !== id) return; // given up before
    this.#open = undefined;
    const tags = this.#tags(open.action);
    callDuration.add(Math.max(0, atMs - open.sentAtMs), tags);
    callErrors.add(false, tags);
    if (!isAnswer(this.unit.version, open.action, payload)) schemaViolations.add(1, tags);
    this.ledger.noteAnswer(open.action, open.payload, open.sentAtMs);
    open.answered(payload);
    this.#next();
  }

  #refused(id: string): void {
    const open = this.#open;
    if (open?.id !== id) return;
    this.#open = undefined;
    this.#giveUp(open);
  }

  #giveUp(open: OpenCall): void {
    callErrors.add(true, this.#tags(open.action));
    this.ledger.noteUnanswered(open.id);
    open.answered(undefined);
    this.#next();
  }

  #command(connection: Connection, id: string, action: string, payload: Record<string, unknown>): void {
    const { version } = this.unit;
    if (!isRequest(version, action, payload)) schemaViolations.add(1, this.#tags(action));
    const answer = answerTo(action, payload);
    if (answer === undefined) return connection.sendError(id, "NotImplemented");
    connection.sendResult(id, answer);
    if (action === "TriggerMessage" && payload["requestedMessage"] === "Heartbeat") {
      this.#heartbeatDue = true;
      this.#next();
    }
  }

  #lost(code: number | undefined): void {
    this.#connection = undefined;
    const open = this.#open;
    this.#open = undefined;
    if (this.#ending) {
      if (open !== undefined) this.ledger.noteUnanswered(open.id);
      return;
    }
    disconnects.add(1, { code: String(code ?? "none"), phase: this.#world.phase() });
    this.absence.begin(this.#world.nowMs());
    // What belongs to a transaction is sent again (C16 §4.1, 2.x E04); what does not is over.
    if (open?.transactional === true) this.#waiting = open;
    else if (open !== undefined) this.#giveUp(open);
    const seconds = Math.random() * this.#world.reconnectSeconds;
    this.#gateway += 1; // as a load balancer would: the one that threw it out may be going away
    this.absence.noteBackOff(seconds);
    this.#world.wall.after(seconds, () => this.connect());
  }

  #notLetIn(): void {
    this.#connection = undefined;
    if (this.#ending) return;
    refusals.add(1, { phase: this.#world.phase() });
    this.absence.noteRefusal();
    this.#gateway += 1;
    const seconds = Math.min(MAX_BACKOFF_SECONDS, 2 ** this.#refusals++) * (0.5 + Math.random());
    this.absence.noteBackOff(seconds);
    this.#world.wall.after(seconds, () => this.connect());
  }

  #tags(action: string) {
    return tagsOf(action, this.unit.version, this.#world.phase());
  }
}
