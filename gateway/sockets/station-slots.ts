import type { StationIdentity } from "@dynamo-csms/proto/station-identity";

/** How much of something each station may have at the same time. Keeps nothing of a station that has none of it. */
export class StationSlots {
  readonly #taken = new Map<StationIdentity, number>();
  readonly #perStation: number;

  constructor(perStation: number) {
    this.#perStation = perStation;
  }

  /** False: all are taken. After true `leave` is owed. */
  enter(identity: StationIdentity): boolean {
    const taken = this.#taken.get(identity) ?? 0;
    if (taken >= this.#perStation) return false;
    this.#taken.set(identity, taken + 1);
    return true;
  }

  leave(identity: StationIdentity): void {
    const left = (this.#taken.get(identity) ?? 0) - 1;
    if (left > 0) this.#taken.set(identity, left);
    else this.#taken.delete(identity);
  }

  /** Stations that have any. */
  get size(): number {
    return this.#taken.size;
  }
}
