/** A CALL that a station has to say. */
export interface Message {
  readonly action: string;
  /** What it tells, alike for each repetition. See station.ts. */
  readonly key: string;
  /** Belongs to a transaction: kept in order until it is answered, however many connections that takes (1.6 §3.7, 2.x E12). */
  readonly transactional: boolean;
  /** May be said before the registration is accepted: BootNotification, and what TriggerMessage asks for. */
  readonly early?: boolean;
  /** Called at each sending: what is learnt meanwhile (1.6: the transactionId) goes in. */
  payload(): Record<string, unknown>;
  /** @returns what the ledger keeps of the answer */
  answered?(answer: Record<string, unknown>): Record<string, unknown>;
  /** It will have no answer: the connection broke, or it was refused for good. */
  givenUp?(): void;
  /** True when there is nothing left to say it about. */
  moot?(): boolean;
}

/** A message on its way. */
export interface Outgoing {
  message: Message;
  messageId: string;
  /** Its place among all messages of the station. */
  order: number;
  /** 0: not sent yet. */
  firstSentAtMs: number;
  /** CALLERRORs so far. */
  refusals: number;
}

/** What a station has to say, and the one CALL that is open (OCPP-J §4.1.1). */
export class Outbox {
  open: Outgoing | undefined;
  readonly #transactional: Outgoing[] = [];
  #others: Outgoing[] = [];
  #order = 0;
  #heldUntilMs = 0;

  /** What waits to be sent or answered. */
  get size(): number {
    return this.#transactional.length + this.#others.length;
  }

  get transactionMessages(): number {
    return this.#transactional.length;
  }

  add(message: Message, messageId: string): void {
    const outgoing = { message, messageId, order: (this.#order += 1), firstSentAtMs: 0, refusals: 0 };
    (message.transactional ? this.#transactional : this.#others).push(outgoing);
  }

  /** The oldest that may be said now. It stays here until `settle`. @param dropped is told what became moot */
  next(nowMs: number, registered: boolean, dropped: (outgoing: Outgoing) => void): Outgoing | undefined {
    while (this.#transactional[0]?.message.moot?.()) dropped(this.#transactional.shift() as Outgoing);
    const other = registered ? this.#others[0] : this.#others.find(({ message }) => message.early);
    const transactional = registered && nowMs >= this.#heldUntilMs ? this.#transactional[0] : undefined;
    if (transactional === undefined || other === undefined) return transactional ?? other;
    return transactional.order < other.order ? transactional : other;
  }

  /** It needs to be said no more. */
  settle(outgoing: Outgoing): void {
    if (this.open === outgoing) this.open = undefined;
    if (outgoing.message.transactional) this.#transactional.shift();
    else this.#others = this.#others.filter((other) => other !== outgoing);
  }

  /** Says no message of a transaction before this time (Unix ms). */
  holdTransactions(untilMs: number): void {
    this.#heldUntilMs = untilMs;
  }

  /** The connection broke: messages of transactions wait for the next one, the others are returned and forgotten. */
  disconnected(): Outgoing[] {
    this.open = undefined;
    return this.#others.splice(0);
  }
}
