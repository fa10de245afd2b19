import type { FleetProcessContext } from "./fleet-process-context.ts";
import type { Station } from "./station.ts";

const CHECK_EVERY_MS = 1_000;
/** What the pace could not use in this time is forgotten: no outage is followed by a burst of new messages. */
const PACE_RESERVE_MS = 100;
/** How many busy stations are passed over for one that is free. */
const LOOKED_AT = 8;

/** All stations of one process, and how many messages they make in a second together. */
export class StationPool {
  readonly #stations: readonly Station[];
  readonly #context: FleetProcessContext;
  #perSecond = 0;
  #allowance = 0;
  #beatAtMs: number;
  #checkAtMs: number;
  #turn = 0;
  #drops = 0;

  constructor(stations: readonly Station[], context: FleetProcessContext) {
    this.#stations = stations;
    this.#context = context;
    this.#beatAtMs = this.#checkAtMs = context.nowMs();
  }

  /** Messages a second of all together. */
  pace(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#allowance = 0;
  }

  /** To be called every 10 ms or so. @returns whether it should be called again at once */
  beat(): boolean {
    const goesOn = this.#context.wheel.turn();
    const now = this.#context.nowMs();
    const reserve = Math.max(1, (this.#perSecond * PACE_RESERVE_MS) / 1_000);
    this.#allowance = Math.min(reserve, this.#allowance + (this.#perSecond * (now - this.#beatAtMs)) / 1_000);
    this.#beatAtMs = now;
    this.#tell();
    if (now - this.#checkAtMs >= CHECK_EVERY_MS) {
      this.#checkAtMs = now;
      for (const station of this.#stations) station.check(now);
    }
    return goesOn;
  }

  /** Connects whoever is not connected, spread over this time. */
  connect(withinMs: number): void {
    const away = this.#stations.filter(({ link }) => !link.isOpen);
    away.forEach(({ link }, at) => link.connectIn((at / away.length) * withinMs));
  }

  /** Drops all connections; they come back spread over this time, as many to each gateway, each time to another one. */
  dropAll(withinMs: number): void {
    const { origins } = this.#context;
    this.#drops += 1;
    for (const { link } of this.#stations) link.drop("dropped");
    this.#stations.forEach(({ link }, at) =>
      link.connectIn((at / this.#stations.length) * withinMs, (at + this.#drops) % origins.length),
    );
  }

  /** The first so many stations read nothing; all others do. */
  stopReading(count: number): void {
    this.#stations.forEach((station, at) => station.silence(at < count));
  }

  counts(): { stations: number; connected: number; settled: number; waiting: number } {
    let connected = 0;
    let settled = 0;
    let waiting = 0;
    for (const station of this.#stations) {
      if (station.link.isOpen) connected += 1;
      if (station.isSettled) settled += 1;
      waiting += station.waiting;
    }
    return { stations: this.#stations.length, connected, settled, waiting };
  }

  #tell(): void {
    for (let looks = Math.ceil(this.#allowance) * LOOKED_AT; this.#allowance >= 1 && looks > 0; looks--) {
      this.#turn = (this.#turn + 1) % this.#stations.length;
      const station = this.#stations[this.#turn];
      if (station === undefined || !station.isFree) continue;
      this.#allowance -= 1;
      station.tell();
    }
  }
}
