import type { CommandOutcome } from "@dynamo-csms/proto/command-message";

export interface SeenLimits {
  /** Ids that are remembered, oldest forgotten first: far more than can come again within a command's deadline. */
  commands: number;
  /** For all outcomes together, oldest forgotten first; their ids stay. A response may be as large as a frame. */
  outcomeBytes: number;
  /** An outcome older than this is in its row: nobody asks for it again. */
  outcomeMs: number;
}

export const SEEN_LIMITS: Readonly<SeenLimits> = {
  commands: 20_000,
  outcomeBytes: 16 * 1024 * 1024,
  outcomeMs: 15 * 60_000,
};

interface Kept {
  outcome: CommandOutcome;
  bytes: number;
  /** Monotonic. */
  atMs: number;
}

/** The commands that came to this node, so that none is sent twice, and their outcomes for those who missed the report. */
export class SeenCommands {
  readonly #limits: SeenLimits;
  readonly #nowMs: () => number;
  readonly #seen = new Map<string, { epoch: number; neverSent: boolean }>();
  /** In the order of their ends. */
  readonly #outcomes = new Map<string, Kept>();
  #bytes = 0;

  constructor(limits: SeenLimits, nowMs: () => number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /**
   * Whether the command came before, for this connection or for another one that may have sent it. One that surely was not
   * sent on its former connection is new to this one: it waited for its station meanwhile.
   */
  has(commandId: string, epoch: number): boolean {
    const known = this.#seen.get(commandId);
    return known !== undefined && !(known.neverSent && known.epoch !== epoch);
  }

  /** Undefined: it has not ended yet, or its outcome is not kept any more. */
  outcome(commandId: string): CommandOutcome | undefined {
    this.#dropOld();
    return this.#outcomes.get(commandId)?.outcome;
  }

  /** Remembers a command that came for the first time, or the first time for this connection. */
  add(commandId: string, epoch: number): void {
    this.#drop(commandId);
    this.#seen.delete(commandId);
    this.#seen.set(commandId, { epoch, neverSent: false });
    if (this.#seen.size <= this.#limits.commands) return;
    const [oldest] = this.#seen.keys();
    if (oldest === undefined) return;
    this.#seen.delete(oldest);
    this.#drop(oldest);
  }

  /** Keeps how it ended, as long as there is room. */
  ended(commandId: string, outcome: CommandOutcome): void {
    const known = this.#seen.get(commandId);
    if (known === undefined) return;
    known.neverSent = outcome.state === "not_connected";
    const bytes = JSON.stringify(outcome).length;
    this.#drop(commandId);
    this.#outcomes.set(commandId, { outcome, bytes, atMs: this.#nowMs() });
    this.#bytes += bytes;
    this.#dropOld();
  }

  #dropOld(): void {
    const beforeMs = this.#nowMs() - this.#limits.outcomeMs;
    for (const [id, { atMs }] of this.#outcomes) {
      if (atMs > beforeMs && this.#bytes <= this.#limits.outcomeBytes) return;
      this.#drop(id);
    }
  }

  #drop(commandId: string): void {
    const kept = this.#outcomes.get(commandId);
    if (kept === undefined) return;
    this.#outcomes.delete(commandId);
    this.#bytes -= kept.bytes;
  }
}
