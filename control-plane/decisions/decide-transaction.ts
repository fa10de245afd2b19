import type { Sql } from "../database.ts";
import { drawTransactionId } from "../transactions/draw-transaction-id.ts";
import { parseExactJson } from "../transactions/exact-json.ts";
import { type QuarantinedMessage, type QuarantineReason, quarantine } from "../transactions/quarantine.ts";
import { type ReceivedStart, startTransactions } from "../transactions/start-transaction.ts";
import { type ReceivedStop, type StopOutcome, stopTransactions } from "../transactions/stop-transaction.ts";
import { readStart, readStop } from "../transactions/transaction-messages.ts";
import { answered, type Decision, type DecisionDeps, type Question, type SharedStep } from "./decision.ts";

/** A message of this question that fits nothing we know. */
export const asQuarantined = (
  { station, epoch, seq, receivedAt, action, payloadText }: Question,
  reason: QuarantineReason,
): QuarantinedMessage => ({ stationId: station.id, epoch, seq, receivedAt, action, reason, raw: payloadText });

/**
 * StartTransaction (C16 §4.8). One that names no connector that can be is set aside and answered all the same: refused,
 * it would be thrown away by the station, with the energy that was taken.
 */
export const decideStart: SharedStep = {
  writes: true,
  async decide(questions, sql, { redis }) {
    const decisions = new Map<Question, Decision>();
    const received: (ReceivedStart & { question: Question })[] = [];
    for (const question of questions) {
      const { station, receivedAt, payloadText } = question;
      const start = readStart(parseExactJson(payloadText));
      if (start === undefined) decisions.set(question, await setAsideStart(sql, question, redis));
      else received.push({ question, station, start, receivedAt });
    }
    const answers = await startTransactions(sql, received, redis);
    received.forEach(({ question }, place) => decisions.set(question, answered(answers[place] as object)));
    return questions.map((question) => decisions.get(question) as Decision);
  },
};

async function setAsideStart(sql: Sql, question: Question, redis: DecisionDeps["redis"]): Promise<Decision> {
  await quarantine(sql, [asQuarantined(question, "cannot be read")]);
  const transactionId = await drawTransactionId(sql, redis);
  return answered({ transactionId, idTagInfo: { status: "Invalid" } });
}

const STOP_FAULTS: Partial<Record<StopOutcome["kind"], QuarantineReason>> = {
  unknown: "unknown transaction",
  differs: "already stopped otherwise",
};

/** StopTransaction (C16 §4.10): whatever it is about, it is answered with success; what fits nothing is set aside. */
export const decideStop: SharedStep = {
  writes: true,
  async decide(questions, sql) {
    const received: (ReceivedStop & { question: Question })[] = [];
    const aside: QuarantinedMessage[] = [];
    for (const question of questions) {
      const { station, receivedAt, payloadText } = question;
      const stop = readStop(parseExactJson(payloadText));
      if (stop === undefined) aside.push(asQuarantined(question, "cannot be read"));
      else received.push({ question, station, stop, payload: payloadText, receivedAt });
    }
    const answers = new Map<Question, object>();
    for (const [place, { kind, answer }] of (await stopTransactions(sql, received)).entries()) {
      const { question } = received[place] as { question: Question };
      answers.set(question, answer);
      const reason = STOP_FAULTS[kind];
      if (reason !== undefined) aside.push(asQuarantined(question, reason));
    }
    await quarantine(sql, aside);
    return questions.map((question) => answered(answers.get(question) ?? {}));
  },
};
