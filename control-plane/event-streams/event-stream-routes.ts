import type pg from "pg";
import { z } from "zod";
import type { Route } from "../http/route.ts";
import { itemListRoute } from "../station-items/item-lists.ts";

/** Streams of values that charge points send without being answered. */
export const eventStreamRoutes = (deps: { pool: pg.Pool }): Route[] => [
  itemListRoute(deps, {
    kind: "event_stream",
    path: "event-streams",
    operationId: "listEventStreams",
    summary: "The periodic event streams of a charge point with their newest values (OCPP 2.1)",
    description: "At most the 100 newest values of each; every value stands in the message log.",
    members: {
      event_stream_id: z.number().nullable(),
      monitor_id: z.number().nullable().describe("the monitor whose variable is told"),
      interval_seconds: z.number().nullable(),
      values_per_message: z.number().nullable(),
      pending: z.number().nullable().describe("values that waited in the charge point when it sent these"),
      values: z
        .array(z.object({ at: z.string(), value: z.string() }))
        .nullable()
        .describe("of the newest message"),
    },
    example: {
      event_stream_id: 1,
      monitor_id: 12,
      interval_seconds: 60,
      values_per_message: 10,
      pending: 0,
      values: [{ at: "2026-05-01T10:29:41.000Z", value: "31.5" }],
    },
  }),
];
