import type { LedgerLine } from "../contract.ts";

/** A CALL that was answered with a CALLRESULT, as its station tells it. */
export interface AnsweredCall {
  station: string;
  messageId: string;
  action: string;
  /** What it tells, alike for each repetition. */
  key: string;
  /** How often it was put on a socket under this message id. */
  sent: number;
  facts: Record<string, unknown>;
}

/** A CALL of ours as a station received it. */
export interface ReceivedCommand {
  station: string;
  messageId: string;
  action: string;
  answered: boolean;
}

/** What the ledgers say since the last look. */
export interface Segment {
  /** Per station in the order of the answers. */
  answered: AnsweredCall[];
  received: ReceivedCommand[];
  /** What the ledgers alone show to be wrong. */
  strays: string[];
  /** CALLERRORs to messages of transactions: stations throw such messages away. */
  refusedTransactionMessages: string[];
  /** Other CALLERRORs, by code. */
  errors: Record<string, number>;
}

const TRANSACTION_MESSAGES = new Set(["StartTransaction", "StopTransaction", "TransactionEvent"]);

interface OpenCall {
  action: string;
  key: string;
  sent: number;
}

/** Goes through the ledgers' lines and keeps what is open from one segment to the next. */
export class Segments {
  readonly #open = new Map<string, OpenCall>();

  /** The lines since the last one, as a segment. */
  take(lines: Iterable<LedgerLine>): Segment {
    const segment: Segment = { answered: [], received: [], strays: [], refusedTransactionMessages: [], errors: {} };
    for (const line of lines) this.#add(line, segment);
    return segment;
  }

  #add(line: LedgerLine, segment: Segment): void {
    switch (line[0]) {
      case "sent": {
        const [, , station, , messageId, action, key] = line;
        const open = this.#open.get(`${station} ${messageId}`);
        if (open === undefined) this.#open.set(`${station} ${messageId}`, { action, key, sent: 1 });
        else open.sent += 1;
        return;
      }
      case "answered": {
        const [, , station, , messageId, facts] = line;
        const call = this.#open.get(`${station} ${messageId}`);
        this.#open.delete(`${station} ${messageId}`);
        if (call === undefined) segment.strays.push(`${station}: ${messageId} answered, and was not open`);
        else segment.answered.push({ station, messageId, facts, ...call });
        return;
      }
      case "failed": {
        const [, , station, , messageId, code] = line;
        const call = this.#open.get(`${station} ${messageId}`);
        this.#open.delete(`${station} ${messageId}`);
        const inTransaction = TRANSACTION_MESSAGES.has(call?.action ?? "") || call?.key.startsWith("meter:");
        if (inTransaction)
          segment.refusedTransactionMessages.push(`${station}: ${call?.action} ${messageId} got ${code}`);
        else segment.errors[code] = (segment.errors[code] ?? 0) + 1;
        return;
      }
      case "stray":
        segment.strays.push(`${line[2]}: an answer to ${line[4]}, which is not open on this connection`);
        return;
      case "command": {
        const [, , station, , messageId, action, answer] = line;
        segment.received.push({ station, messageId, action, answered: answer !== undefined && answer !== null });
        return;
      }
      case "dropped":
        this.#open.delete(`${line[2]} ${line[3]}`);
        return;
      case "opened":
      case "closed":
    }
  }
}
