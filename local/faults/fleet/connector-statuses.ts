import type { Teller } from "./story.ts";

/**
 * The statuses of a station's connectors, and which of them the CSMS has to be told again. StatusNotification belongs to no
 * transaction: one that is not answered before the connection breaks is forgotten, and the status of then is told after the
 * reconnect (1.6 §4.9, 2.x B04, G01).
 */
export class ConnectorStatuses {
  readonly #teller: Teller;
  readonly #payload: (connector: number, status: string, timestamp: string) => Record<string, unknown>;
  /** 1.6 has no EVSEs; a 2.x station here has one connector for each. */
  readonly #placeOf: (connector: number) => string;
  readonly #statuses: string[];
  readonly #untold = new Set<number>();

  constructor(deps: {
    teller: Teller;
    payload: (connector: number, status: string, timestamp: string) => Record<string, unknown>;
    placeOf: (connector: number) => string;
  }) {
    this.#teller = deps.teller;
    this.#payload = deps.payload;
    this.#placeOf = deps.placeOf;
    this.#statuses = Array.from({ length: deps.teller.settings.connectors + 1 }, () => "Available");
  }

  of(connector: number): string | undefined {
    return connector === 0 ? undefined : this.#statuses[connector];
  }

  has(connector: number): boolean {
    return connector >= 1 && connector < this.#statuses.length;
  }

  /** @returns whether it is told now; without a connection it is told after the next reconnect, if it still is so */
  set(connector: number, status: string): boolean {
    this.#statuses[connector] = status;
    if (!this.#teller.isConnected()) {
      this.#untold.add(connector);
      return false;
    }
    this.tell(connector);
    return true;
  }

  /** @param early TriggerMessage asks for it, so that it may be told before the registration is accepted */
  tell(connector: number, early = false): void {
    const status = this.#statuses[connector] ?? "Available";
    const timestamp = this.#teller.timestamp();
    this.#untold.delete(connector);
    this.#teller.say({
      action: "StatusNotification",
      key: `status:${this.#placeOf(connector)}:${status}:${timestamp}`,
      transactional: false,
      early,
      payload: () => this.#payload(connector, status, timestamp),
      givenUp: () => void this.#untold.add(connector),
    });
  }

  tellAll(): void {
    for (let connector = 1; connector < this.#statuses.length; connector++) this.tell(connector);
  }

  tellUntold(): void {
    for (const connector of [...this.#untold].toSorted((a, b) => a - b)) this.tell(connector);
  }
}
