import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import { isObject } from "./read-fields.ts";

/**
 * GetTransactionStatus (P2 E14), whoever asked: nothing more is queued, so the question is settled until the station speaks of
 * the transaction again; and one that it does not run any more is over, though its end will never come. A station that
 * does not know the message is not asked again. Without an answer the question stays open.
 */
const settleQuestion: OutcomeEffect = async (sql, { stationId, payload, state, response, at }) => {
  const transactionId = isObject(payload) ? payload["transactionId"] : undefined;
  if (typeof transactionId !== "string") return;
  const answer = isObject(response) ? response : undefined;
  // More is to come: asked again after a pause, should it not.
  if (state !== "error" && (answer === undefined || answer["messagesInQueue"] !== false)) return;
  const isOver = answer?.["ongoingIndicator"] === false;
  await sql.query(
    `update transactions
     set status_settled_at = $3,
         given_up_at = case when $4 and state = 'active' then coalesce(given_up_at, $3) else given_up_at end,
         given_up_reason = case when $4 and state = 'active' then coalesce(given_up_reason, 'forgotten_by_station') else given_up_reason end
     where station_id = $1 and transaction_id = $2 and ocpp_version <> '1.6'`,
    [stationId, transactionId, at, isOver],
  );
};

/** What the ends of commands tell of transactions. */
export const TRANSACTION_OUTCOMES: readonly (readonly [action: string, effect: OutcomeEffect])[] = [
  ["GetTransactionStatus", settleQuestion],
];
