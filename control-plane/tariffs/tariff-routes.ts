import type pg from "pg";
import { z } from "zod";
import type { Route } from "../http/route.ts";
import { asOcpp, itemListRoute } from "../station-items/item-lists.ts";

/** Tariffs that charge points calculate with. */
export const tariffRoutes = (deps: { pool: pg.Pool }): Route[] => [
  itemListRoute(deps, {
    kind: "tariff",
    path: "tariffs",
    operationId: "listTariffs",
    summary: "The tariffs that are set in a charge point (OCPP 2.1)",
    description:
      "As accepted by SetDefaultTariff and ChangeTransactionTariff and told by the answers to GetTariffs. Whose tariff a driver's tariff is, is not shown.",
    members: {
      tariff_id: z.string().nullable(),
      tariff_kind: z.string().nullable().describe("DefaultTariff, DriverTariff or TransactionTariff"),
      evse_ids: z.array(z.number()).nullable().describe("0: all EVSEs"),
      transaction_id: z.string().nullable(),
      valid_from: z.string().nullable(),
      tariff: asOcpp("the tariff"),
    },
    example: {
      tariff_id: "night",
      tariff_kind: "DefaultTariff",
      evse_ids: [0],
      transaction_id: null,
      valid_from: null,
      tariff: { tariffId: "night", currency: "EUR", energy: { prices: [{ priceKwh: 0.35 }] } },
    },
  }),
];
