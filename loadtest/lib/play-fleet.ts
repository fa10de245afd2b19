import exec from "k6/execution";
import { clearInterval, setInterval } from "k6/timers";
import { Agenda } from "./agenda.ts";
import { startClock } from "./clock.ts";
import { paceFor } from "./load-profile.ts";
import { connected, turnDelay } from "./metrics.ts";
import { type Phase, phaseAt, secondsOf } from "./phases.ts";
import type { Settings, Unit } from "./settings.ts";
import { Station, type World } from "./station.ts";
import { tellRunner } from "./tell-runner.ts";

const TURN_MS = 10;
const GAUGE_MS = 1_000;
/** For the answers that are still to come: more than a station waits for one. */
const SETTLE_MS = 35_000;
const LEAVE_MS = 5_000;

/** How long a run of these phases may take, its end included. */
export const limitSeconds = (phases: readonly Phase[]): number =>
  secondsOf(phases) + (SETTLE_MS + LEAVE_MS) / 1_000 + 20;

/**
 * One virtual user: plays its share of the fleet from the first connection to the last answer, and writes down what each
 * station was told. Resolves when all its connections are closed.
 */
export function playFleet(settings: Settings, phases: readonly Phase[]): Promise<void> {
  return new Promise((resolve) => new Share(settings, phases, resolve).play());
}

class Share {
  readonly #settings: Settings;
  readonly #phases: readonly Phase[];
  readonly #finished: () => void;
  readonly #number = exec.scenario.iterationInTest;
  readonly #now = startClock();
  readonly #beganMs = exec.scenario.startTime;
  readonly #agenda = new Agenda();
  readonly #wall = new Agenda();
  readonly #stations: Station[];
  #phase: Phase | undefined;
  #turnAtMs: number;
  #gaugeAtMs = 0;
  #restedAtMs: number | undefined;
  #leftAtMs: number | undefined;
  #timer = 0;

  constructor(settings: Settings, phases: readonly Phase[], finished: () => void) {
    this.#settings = settings;
    this.#phases = phases;
    this.#finished = finished;
    this.#turnAtMs = this.#now();
    const world: World = {
      agenda: this.#agenda,
      wall: this.#wall,
      profile: settings.profile,
      gateways: settings.gateways,
      idTag: settings.idTag,
      reconnectSeconds: settings.reconnectSeconds,
      nowMs: this.#now,
      phase: () => this.#phase?.name ?? "end",
    };
    const { units, virtualUsers } = settings;
    this.#stations = [];
    // Dealt out like cards: each share is of all versions, and spread over the time of connecting.
    for (let at = this.#number; at < units.length; at += virtualUsers)
      this.#stations.push(new Station(units[at] as Unit, at, world));
  }

  play(): void {
    const { units, virtualUsers, connectSeconds } = this.#settings;
    const late = (this.#now() - this.#beganMs) / 1_000;
    this.#stations.forEach((station, n) => {
      const place = (this.#number + n * virtualUsers + Math.random()) / units.length;
      this.#wall.after(Math.max(0, place * connectSeconds - late), () => station.connect());
    });
    this.#timer = setInterval(() => this.#turn(), TURN_MS) as unknown as number;
  }

  #turn(): void {
    const nowMs = this.#now();
    const passed = (nowMs - this.#turnAtMs) / 1_000;
    this.#turnAtMs = nowMs;
    this.#enter(phaseAt(this.#phases, (nowMs - this.#beganMs) / 1_000));
    this.#wall.advance(passed);
    if (this.#phase === undefined) return this.#end(nowMs);
    this.#agenda.advance(passed * this.#paceOf(this.#phase));
    if (nowMs - this.#gaugeAtMs >= GAUGE_MS) this.#look(nowMs, passed);
  }

  #look(nowMs: number, passed: number): void {
    this.#gaugeAtMs = nowMs;
    turnDelay.add(Math.max(0, passed * 1_000 - TURN_MS));
    let there = 0;
    for (const station of this.#stations) {
      if (station.isConnected) there += 1;
      station.checkTimeout();
    }
    connected.add((100 * there) / this.#stations.length);
  }

  #enter(phase: Phase | undefined): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    if (this.#number === 0) tellRunner({ phase: phase?.name ?? "end", atMs: this.#now() });
    if (phase?.drops === true) for (const station of this.#stations) station.drop();
    if (phase === undefined) for (const station of this.#stations) station.rest();
  }

  #paceOf({ rate }: Phase): number {
    const { profile, fleet } = this.#settings;
    return rate === undefined ? 1 : paceFor(rate, profile, fleet);
  }

  /** What is open is waited for, then all leave, then it is told what they know. */
  #end(nowMs: number): void {
    this.#restedAtMs ??= nowMs;
    if (this.#leftAtMs === undefined) {
      const isQuiet = this.#stations.every((station) => station.isQuiet);
      if (!isQuiet && nowMs - this.#restedAtMs < SETTLE_MS) return;
      this.#leftAtMs = nowMs;
      for (const station of this.#stations) station.leave();
      return;
    }
    const isOver = this.#stations.every((station) => !station.isConnected);
    if (!isOver && nowMs - this.#leftAtMs < LEAVE_MS) return;
    clearInterval(this.#timer);
    for (const { ledger, absence, unit } of this.#stations)
      tellRunner({ ...ledger.told(unit.identity), absence: absence.told() });
    this.#finished();
  }
}
