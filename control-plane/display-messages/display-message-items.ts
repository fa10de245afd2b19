import type { RequestPayload, ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { originOf } from "../commands/answer-order.ts";
import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import type { FactOrigin } from "../device-model/read-variables.ts";
import { itemKey, type ItemChange, recordItems } from "../station-items/record-items.ts";

type Version2 = "2.0.1" | "2.1";
type Message = RequestPayload<Version2, "SetDisplayMessage">["message"];

const messageItem = (origin: FactOrigin, { customData: _, ...message }: Message): ItemChange => ({
  ...origin,
  kind: "display_message",
  key: itemKey(message.id),
  present: true,
  data: { display_message_id: message.id, message },
});

/** Of one message of the answer to a GetDisplayMessages (P2 O03, O04 NotifyDisplayMessages). */
export const itemsOfDisplayMessages = (
  { messageInfo = [] }: RequestPayload<Version2, "NotifyDisplayMessages">,
  origin: FactOrigin,
): ItemChange[] => messageInfo.map((message) => messageItem(origin, message));

const setDisplayMessage: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const { message } = command.payload as RequestPayload<Version2, "SetDisplayMessage">;
  await recordItems(sql, [messageItem(originOf(command), message)]);
};

const clearDisplayMessage: OutcomeEffect = async (sql, command) => {
  const answer = command.response as ResponsePayload<Version2, "ClearDisplayMessage"> | undefined;
  // "Unknown": it is not there either.
  if (answer === undefined || (answer.status !== "Accepted" && answer.status !== "Unknown")) return;
  const { id } = command.payload as RequestPayload<Version2, "ClearDisplayMessage">;
  await recordItems(sql, [
    { ...originOf(command), kind: "display_message", key: itemKey(id), present: false, data: {}, adds: true },
  ]);
};

/** What commands about display messages come to, by action. */
export const DISPLAY_MESSAGE_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["ClearDisplayMessage", clearDisplayMessage],
  ["SetDisplayMessage", setDisplayMessage],
];
