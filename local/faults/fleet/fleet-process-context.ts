import { Histogram } from "./histogram.ts";
import type { LedgerFile } from "./ledger-file.ts";
import type { FleetSettings } from "./settings.ts";
import type { Wheel } from "./wheel.ts";

export interface Origin {
  name: string;
  /** ws://host:port */
  url: string;
}

/** What the stations of one process have happened to them, in numbers. */
export class Tally {
  sent = 0;
  acknowledged = 0;
  errors = 0;
  readonly refusals: Record<string, number> = {};
  readonly closes: Record<string, number> = {};
  readonly handshakeMs = new Histogram();
  readonly answerMs = new Histogram();

  refused(why: string): void {
    this.refusals[why] = (this.refusals[why] ?? 0) + 1;
  }

  closed(why: string): void {
    this.closes[why] = (this.closes[why] ?? 0) + 1;
  }
}

/** What all stations of one process share. */
export interface FleetProcessContext {
  readonly origins: readonly Origin[];
  readonly idTag: string;
  readonly settings: FleetSettings;
  readonly wheel: Wheel;
  readonly ledger: LedgerFile;
  readonly tally: Tally;
  /** Unix ms, from a clock that never steps. */
  nowMs(): number;
  /** An id that no message of any station had before. */
  newMessageId(): string;
}
