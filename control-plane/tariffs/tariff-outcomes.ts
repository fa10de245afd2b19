import type { RequestPayload, ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { originOf } from "../commands/answer-order.ts";
import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import { clearItems, itemKey, type ItemChange, recordItems } from "../station-items/record-items.ts";

const KIND = "tariff";
const DEFAULT = "DefaultTariff";

/** EVSE 0 stands for all of them (2.1 Part 2 I08 SetDefaultTariff). */
const setDefaultTariff: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const { evseId, tariff } = command.payload as RequestPayload<"2.1", "SetDefaultTariff">;
  const origin = originOf(command);
  const key = itemKey(tariff.tariffId);
  const data = { tariff_id: tariff.tariffId, tariff_kind: DEFAULT, evse_ids: [evseId], tariff };
  // An EVSE has one default tariff; one for all of them replaces all.
  const evses = evseId === 0 ? {} : { evse_ids: [evseId] };
  await clearItems(sql, { ...origin, kind: KIND, having: { tariff_kind: DEFAULT, ...evses }, except: [key] });
  await recordItems(sql, [{ ...origin, kind: KIND, key, present: true, data }]);
};

const changeTransactionTariff: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const { transactionId, tariff } = command.payload as RequestPayload<"2.1", "ChangeTransactionTariff">;
  const data = {
    tariff_id: tariff.tariffId,
    tariff_kind: "TransactionTariff",
    transaction_id: transactionId,
    evse_ids: [],
    tariff,
  };
  const key = itemKey(`transaction/${transactionId}`);
  await recordItems(sql, [{ ...originOf(command), kind: KIND, key, present: true, data }]);
};

const clearTariffs: OutcomeEffect = async (sql, command) => {
  if (command.response === undefined) return;
  const { evseId } = command.payload as RequestPayload<"2.1", "ClearTariffs">;
  const { clearTariffsResult } = command.response as ResponsePayload<"2.1", "ClearTariffs">;
  const origin = originOf(command);
  const evses = evseId === undefined || evseId === 0 ? {} : { evse_ids: [evseId] };
  for (const { status, tariffId } of clearTariffsResult) {
    if (status === "Rejected") continue;
    const which = tariffId === undefined ? { tariff_kind: DEFAULT } : { tariff_id: tariffId };
    await clearItems(sql, { ...origin, kind: KIND, having: { ...which, ...evses } });
  }
};

const getTariffs: OutcomeEffect = async (sql, command) => {
  const answer = command.response as ResponsePayload<"2.1", "GetTariffs"> | undefined;
  if (answer === undefined || answer.status === "Rejected") return;
  const { evseId } = command.payload as RequestPayload<"2.1", "GetTariffs">;
  const origin = originOf(command);
  // Whose tariff a driver's is stays out: id tokens are personal data, and the authorisation has them.
  const items = (answer.tariffAssignments ?? []).map(
    ({ tariffId, tariffKind, validFrom, evseIds = [] }): ItemChange => ({
      ...origin,
      kind: KIND,
      key: itemKey(tariffId),
      present: true,
      data: { tariff_id: tariffId, tariff_kind: tariffKind, evse_ids: evseIds, valid_from: validFrom ?? null },
      adds: true,
    }),
  );
  await recordItems(sql, items);
  if (evseId === 0)
    await clearItems(sql, {
      ...origin,
      kind: KIND,
      having: { tariff_kind: DEFAULT },
      except: items.map(({ key }) => key),
    });
};

/** What commands about tariffs come to (2.1 Part 2 block I), by action. */
export const TARIFF_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["ChangeTransactionTariff", changeTransactionTariff],
  ["ClearTariffs", clearTariffs],
  ["GetTariffs", getTariffs],
  ["SetDefaultTariff", setDefaultTariff],
];
