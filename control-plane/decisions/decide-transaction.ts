import { judgeStart } from "../authorization/judge-start.ts";
import { idTokenInfo, readTokenStatus } from "../authorization/token-status.ts";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { storableJson } from "../message-log/storable-text.ts";
import { parseExactJson } from "../transactions/exact-json.ts";
import { type QuarantineReason, quarantine } from "../transactions/quarantine.ts";
import { recordTransactionEvents } from "../transactions/record-events.ts";
import { drawTransactionId } from "../transactions/draw-transaction-id.ts";
import { startTransaction } from "../transactions/start-transaction.ts";
import { stopTransaction } from "../transactions/stop-transaction.ts";
import {
  type EventMessage,
  isTokenOfEnd,
  readEvent,
  readStart,
  readStop,
} from "../transactions/transaction-messages.ts";
import { answered, type DecisionStep, type Question } from "./decision.ts";

const setAside = (
  sql: Sql,
  { station, epoch, seq, receivedAt, action, payloadText }: Question,
  reason: QuarantineReason,
) => quarantine(sql, [{ stationId: station.id, epoch, seq, receivedAt, action, reason, raw: payloadText }]);

/**
 * StartTransaction (C16 §4.8). One that names no connector that can be is set aside and answered all the same: refused,
 * it would be thrown away by the station, with the energy that was taken.
 */
export const decideStart: DecisionStep = async (question, deps) => {
  const start = readStart(parseExactJson(question.payloadText));
  return inTransaction(deps.pool, async (sql) => {
    if (start !== undefined)
      return answered(await startTransaction(sql, question.station, start, question.receivedAt, deps.redis));
    await setAside(sql, question, "cannot be read");
    const transactionId = await drawTransactionId(sql, deps.redis);
    return answered({ transactionId, idTagInfo: { status: "Invalid" } });
  });
};

/** StopTransaction (C16 §4.10): whatever it is about, it is answered with success; what fits nothing is set aside. */
export const decideStop: DecisionStep = async (question, deps) => {
  const stop = readStop(parseExactJson(question.payloadText));
  if (stop === undefined) {
    await setAside(sqlOn(deps.pool), question, "cannot be read");
    return answered({});
  }
  return inTransaction(deps.pool, async (sql) => {
    const { kind, answer } = await stopTransaction(sql, question.station, stop, {
      payload: question.payloadText,
      receivedAt: question.receivedAt,
    });
    if (kind === "unknown") await setAside(sql, question, "unknown transaction");
    if (kind === "differs") await setAside(sql, question, "already stopped otherwise");
    return answered(answer);
  });
};

/** TransactionEvent (P2 E01 to E07) that starts or ends a transaction or brings a token. */
export const decideTransactionEvent: DecisionStep = async (question, deps) => {
  const event = readEvent(parseExactJson(question.payloadText));
  if (event === undefined) {
    await setAside(sqlOn(deps.pool), question, "cannot be read");
    return answered({});
  }
  return inTransaction(deps.pool, async (sql) => {
    const payload = storableJson(question.payloadText);
    const key = [question.station.id, event.transactionId, event.seqNo];
    const [filed] = await sql.query<{ answer: object | null; same: boolean }>(
      `select answer, payload = $4::jsonb as same from transaction_events where station_id = $1 and transaction_id = $2 and seq_no = $3`,
      [...key, payload],
    );
    if (filed?.same === true && filed.answer !== null) return answered(filed.answer);
    const answer = await judgeToken(sql, question, event);
    const { station, version, receivedAt } = question;
    const displaced = await recordTransactionEvents(sql, [
      { station, ocppVersion: version, event, receivedAt, payload, answer },
    ]);
    if (displaced.length > 0) await setAside(sql, question, "another event has this seqNo");
    // Filed by the intake after the gateway had answered it alone, and that answer never arrived.
    else if (filed !== undefined)
      await sql.query(
        `update transaction_events set answer = $4::jsonb where station_id = $1 and transaction_id = $2 and seq_no = $3 and answer is null`,
        [...key, JSON.stringify(answer)],
      );
    return answered(answer);
  });
};

async function judgeToken(sql: Sql, { station }: Question, event: EventMessage): Promise<object> {
  const { idToken, idTokenType, transactionId } = event;
  if (idToken === null) return {};
  // Nothing to judge (P2 C02): the station lets everybody charge.
  if (idTokenType === "NoAuthorization") return { idTokenInfo: { status: "Accepted" } };
  const status = isTokenOfEnd(event)
    ? await readTokenStatus(sql, station.orgId, idToken)
    : await judgeStart(sql, station.orgId, idToken, { stationId: station.id, transactionId });
  return { idTokenInfo: idTokenInfo(status) };
}
