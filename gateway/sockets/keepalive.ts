interface KeptAlive {
  ping(): void;
  /** Nothing was heard for too long: the peer is gone. Brings the close event about. */
  lost(): void;
}

/** How a connection is kept alive and when it is given up. */
export interface KeepaliveTimes {
  /** 0: no pings of ours. */
  pingSeconds: number;
  /** Without any frame of the station for this long the connection counts as dead. */
  silenceSeconds: number;
}

interface Kept extends KeepaliveTimes {
  /** In ticks, as all that follows. */
  heardAt: number;
  pingAt: number;
  visitAt: number;
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
export class Keepalive<Socket extends KeptAlive> {
  readonly #kept = new Map<Socket, Kept>();
  /** Tick → who is to be looked at then. */
  readonly #visits = new Map<number, Set<Socket>>();
  readonly #timer: { cancel(): void };
  readonly #random: () => number;
  #tick = 0;

  constructor(deps: Deps) {
    this.#random = deps.random;
    this.#timer = deps.every(TICK_MS, () => this.#turn());
  }

  /** From now on; called again it changes the times. The first ping comes within the second half of an interval, so that a storm of newcomers is spread. */
  keep(socket: Socket, times: KeepaliveTimes): void {
    const former = this.#kept.get(socket);
    if (former !== undefined) this.#visits.get(former.visitAt)?.delete(socket);
    const firstPing = Math.max(1, Math.round(times.pingSeconds * (0.5 + this.#random() / 2)));
    const kept = { ...times, heardAt: former?.heardAt ?? this.#tick, pingAt: this.#tick + firstPing, visitAt: 0 };
    this.#kept.set(socket, kept);
    this.#schedule(socket, kept);
  }

  /** A frame of the station came in, of whatever kind. */
  heard(socket: Socket): void {
    const kept = this.#kept.get(socket);
    if (kept !== undefined) kept.heardAt = this.#tick;
  }

  remove(socket: Socket): void {
    const kept = this.#kept.get(socket);
    if (kept === undefined) return;
    this.#visits.get(kept.visitAt)?.delete(socket);
    this.#kept.delete(socket);
  }

  stop(): void {
    this.#timer.cancel();
  }

  #schedule(socket: Socket, kept: Kept): void {
    const silentAt = kept.heardAt + kept.silenceSeconds;
    kept.visitAt = Math.max(this.#tick + 1, kept.pingSeconds > 0 ? Math.min(kept.pingAt, silentAt) : silentAt);
    const due = this.#visits.get(kept.visitAt) ?? new Set();
    due.add(socket);
    this.#visits.set(kept.visitAt, due);
  }

  #turn(): void {
    this.#tick += 1;
    const due = this.#visits.get(this.#tick);
    this.#visits.delete(this.#tick);
    for (const socket of due ?? []) {
      const kept = this.#kept.get(socket);
      if (kept === undefined) continue;
      if (this.#tick - kept.heardAt >= kept.silenceSeconds) {
        this.#kept.delete(socket);
        socket.lost();
        continue;
      }
      if (kept.pingSeconds > 0 && this.#tick >= kept.pingAt) {
        kept.pingAt = this.#tick + kept.pingSeconds;
        socket.ping();
      }
      // The ping may have found the connection closed.
      if (this.#kept.get(socket) === kept) this.#schedule(socket, kept);
    }
  }
}
