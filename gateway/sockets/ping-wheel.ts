interface Pinged {
  ping(): void;
}

interface Clock {
  every(ms: number, run: () => void): { cancel(): void };
}

/** One turn of the wheel is one ping interval; a slot's sockets are pinged in one go. */
const SLOTS = 25;

/**
 * Pings every socket once per interval, spread over it. The WebSocket library's own pings come only once a socket has
 * been silent for most of its idle timeout: too late for the stations and proxies that drop a connection after 30–60 s
 * without traffic.
 */
export class PingWheel<Socket extends Pinged> {
  readonly #slots: Set<Socket>[] = Array.from({ length: SLOTS }, () => new Set<Socket>());
  readonly #slotOf = new Map<Socket, Set<Socket>>();
  readonly #timer: { cancel(): void };
  #next = 0;

  constructor(intervalMs: number, clock: Clock) {
    this.#timer = clock.every(intervalMs / SLOTS, () => this.#turn());
  }

  /** The first ping comes one interval later. */
  add(socket: Socket): void {
    const slot = this.#slots[(this.#next + SLOTS - 1) % SLOTS] as Set<Socket>;
    slot.add(socket);
    this.#slotOf.set(socket, slot);
  }

  remove(socket: Socket): void {
    this.#slotOf.get(socket)?.delete(socket);
    this.#slotOf.delete(socket);
  }

  stop(): void {
    this.#timer.cancel();
  }

  #turn(): void {
    const slot = this.#slots[this.#next] as Set<Socket>;
    this.#next = (this.#next + 1) % SLOTS;
    for (const socket of slot) socket.ping();
  }
}
