import type pg from "pg";
import { z } from "zod";
import type { Route } from "../http/route.ts";
import { asOcpp, itemListRoute } from "../station-items/item-lists.ts";

/** Grid-support settings of charge points. */
export const derControlRoutes = (deps: { pool: pg.Pool }): Route[] => [
  itemListRoute(deps, {
    kind: "der_control",
    path: "der-controls",
    operationId: "listDerControls",
    summary: "The DER controls that are set in a charge point (OCPP 2.1)",
    description:
      "As accepted by SetDERControl and told by the answers to GetDERControl and by NotifyDERStartStop. Alarms and each start and stop are under `notices`.",
    members: {
      control_id: z.string().nullable(),
      control_type: z.string().nullable(),
      is_default: z.boolean().nullable(),
      is_superseded: z.boolean().nullable().describe("another control takes its place for now"),
      started: z.boolean().nullable().describe("whether it is at work; null: not told"),
      changed_at: z.string().nullable().describe("when it started or stopped, as the charge point wrote it"),
      settings: asOcpp("the control"),
    },
    example: {
      control_id: "der-1",
      control_type: "LimitMaxDischarge",
      is_default: true,
      is_superseded: false,
      started: null,
      changed_at: null,
      settings: { priority: 1, pctMaxDischargePower: 70 },
    },
  }),
];
