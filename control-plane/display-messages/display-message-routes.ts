import type pg from "pg";
import { z } from "zod";
import type { Route } from "../http/route.ts";
import { asOcpp, itemListRoute } from "../station-items/item-lists.ts";

/** What charge points show to drivers. */
export const displayMessageRoutes = (deps: { pool: pg.Pool }): Route[] => [
  itemListRoute(deps, {
    kind: "display_message",
    path: "display-messages",
    operationId: "listDisplayMessages",
    summary: "The messages that a charge point shows (OCPP 2.x)",
    description:
      "As accepted by SetDisplayMessage and told by the answers to GetDisplayMessages. A message whose endDateTime has passed may be gone from the display.",
    members: { display_message_id: z.number().nullable(), message: asOcpp("the message") },
    example: {
      display_message_id: 7,
      message: { id: 7, priority: "NormalCycle", message: { format: "UTF8", language: "en", content: "Welcome" } },
    },
  }),
];
