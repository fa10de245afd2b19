/** How a connection is kept alive and when it is given up. */
export interface KeepaliveTimes {
  /** 0: no pings of ours. */
  pingSeconds: number;
  /** Without any frame of the station for this long the connection counts as dead. */
  silenceSeconds: number;
}

/** In place of the tick of a visit. */
const NOT_KEPT = -1;
const IN_VISIT = 0;

/**
 * What can be kept alive. What the keepalive has to know of it stands on it, and those to be looked at in the same tick are
 * chained: there are as many as stations, and each entry of a map or a set costs as much as all of this.
 */
export abstract class KeptAlive implements KeepaliveTimes {
  pingSeconds = 0;
  silenceSeconds = 0;
  /** When anything was last heard of it, in ticks, as all that follows. */
  heardAt = 0;
  pingAt = 0;
  visitAt = NOT_KEPT;
  before: KeptAlive | undefined;
  after: KeptAlive | undefined;

  abstract ping(): void;
  /** Nothing was heard for too long: the peer is gone. Brings the close event about. */
  abstract lost(): void;
}

interface Deps {
  every(ms: number, run: () => void): { cancel(): void };
  /** 0 ≤ x < 1. */
  random(): number;
}

const TICK_MS = 1_000;

/**
 * Pings each connection at its own interval and finds the dead ones, to the second. The WebSocket library knows one idle
 * time for all, in steps of 4 s, and its own pings come only once a socket has been silent for most of it: too late for the
 * stations and proxies that drop a connection after 30–60 s without traffic.
 *
 * Time is counted in ticks of this timer: a process that was stopped for a minute finds the frames of that minute in its
 * sockets before it may call anyone silent.
 */
export class Keepalive {
  /** Tick → the first of those that are to be looked at then. */
  readonly #visits = new Map<number, KeptAlive>();
  readonly #timer: { cancel(): void };
  readonly #random: () => number;
  #tick = 0;

  constructor(deps: Deps) {
    this.#random = deps.random;
    this.#timer = deps.every(TICK_MS, () => this.#turn());
  }

  /** From now on; called again it changes the times. The first ping comes within the second half of an interval, so that a storm of newcomers is spread. */
  keep(socket: KeptAlive, { pingSeconds, silenceSeconds }: KeepaliveTimes): void {
    if (socket.visitAt === NOT_KEPT) socket.heardAt = this.#tick;
    else this.#unchain(socket);
    socket.pingSeconds = pingSeconds;
    socket.silenceSeconds = silenceSeconds;
    socket.pingAt = this.#tick + Math.max(1, Math.round(pingSeconds * (0.5 + this.#random() / 2)));
    this.#schedule(socket);
  }

  /** A frame of the station came in, of whatever kind. */
  heard(socket: KeptAlive): void {
    socket.heardAt = this.#tick;
  }

  remove(socket: KeptAlive): void {
    this.#unchain(socket);
    socket.visitAt = NOT_KEPT;
  }

  stop(): void {
    this.#timer.cancel();
  }

  #schedule(socket: KeptAlive): void {
    const silentAt = socket.heardAt + socket.silenceSeconds;
    const dueAt = socket.pingSeconds > 0 ? Math.min(socket.pingAt, silentAt) : silentAt;
    socket.visitAt = Math.max(this.#tick + 1, dueAt);
    const first = this.#visits.get(socket.visitAt);
    if (first !== undefined) first.before = socket;
    socket.after = first;
    this.#visits.set(socket.visitAt, socket);
  }

  #unchain(socket: KeptAlive): void {
    const { before, after, visitAt } = socket;
    if (visitAt <= IN_VISIT) return;
    if (after !== undefined) after.before = before;
    if (before !== undefined) before.after = after;
    else if (after !== undefined) this.#visits.set(visitAt, after);
    else this.#visits.delete(visitAt);
    socket.before = undefined;
    socket.after = undefined;
    socket.visitAt = IN_VISIT;
  }

  #turn(): void {
    this.#tick += 1;
    for (;;) {
      const socket = this.#visits.get(this.#tick);
      if (socket === undefined) return;
      this.#unchain(socket);
      this.#visit(socket);
    }
  }

  #visit(socket: KeptAlive): void {
    if (this.#tick - socket.heardAt >= socket.silenceSeconds) {
      socket.visitAt = NOT_KEPT;
      return socket.lost();
    }
    if (socket.pingSeconds > 0 && this.#tick >= socket.pingAt) {
      socket.pingAt = this.#tick + socket.pingSeconds;
      socket.ping();
    }
    // The ping may have found the connection closed.
    if (socket.visitAt === IN_VISIT) this.#schedule(socket);
  }
}
