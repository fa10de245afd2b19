import type pg from "pg";
import { z } from "zod";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import type { Route } from "../http/route.ts";
import { asOcpp, itemListRoute } from "../station-items/item-lists.ts";
import { A_NUMBER, stationListRoute } from "../station-items/station-list-route.ts";

const evse = { id: 1, connectorId: 1 };

interface EventRow {
  cursor: string;
  occurred_at: Date;
  received_at: Date;
  data: Record<string, unknown>;
}

/** Monitors of OCPP 2.x stations, and the events that they found. */
export function monitoringRoutes(deps: { pool: pg.Pool }): Route[] {
  return [
    itemListRoute(deps, {
      kind: "monitor",
      path: "monitors",
      operationId: "listMonitors",
      summary: "The monitors that watch a charge point's variables (OCPP 2.x)",
      description:
        "As accepted by SetVariableMonitoring and told by monitoring reports. Ask for a report with the command GetMonitoringReport.",
      members: {
        monitor_id: z.number().nullable(),
        component: asOcpp("the component"),
        variable: asOcpp("the variable"),
        type: z.string().nullable(),
        value: z.number().nullable(),
        severity: z.number().nullable().describe("0 danger to 9 debug"),
        transaction: z.boolean().nullable().describe("only while a transaction runs"),
        set_by: z.string().nullable().describe("CustomMonitor: set by us. Null: OCPP 2.0.1 does not tell"),
      },
      example: {
        monitor_id: 12,
        component: { name: "Connector", evse },
        variable: { name: "Temperature" },
        type: "UpperThreshold",
        value: 80,
        severity: 4,
        transaction: false,
        set_by: "CustomMonitor",
      },
    }),
    itemListRoute(deps, {
      kind: "monitoring",
      path: "monitoring",
      operationId: "getMonitoringSettings",
      summary: "Which monitors are active, and from which severity on they report (OCPP 2.x)",
      description: "One entry, once SetMonitoringBase or SetMonitoringLevel was accepted.",
      members: { base: z.string().nullable(), level: z.number().nullable() },
      example: { base: "All", level: 4 },
    }),
    stationListRoute(deps, {
      path: "events",
      operationId: "listEvents",
      summary: "The events of a charge point's monitors, newest first (OCPP 2.x NotifyEvent)",
      filters: {},
      item: z.object({
        event_id: z.number().describe("the charge point's own number; starts again when it reboots"),
        occurred_at: isoTime().describe("the charge point's clock"),
        received_at: isoTime(),
        trigger: z.string(),
        component: asOcpp("the component"),
        variable: asOcpp("the variable"),
        value: z.string().nullable().describe("null: a secret"),
        cleared: z.boolean().nullable().describe("true: what an earlier event told is over"),
        severity: z.number().nullable().describe("OCPP 2.1"),
        monitor_id: z.number().nullable(),
        transaction_id: z.string().nullable(),
        cause: z.number().nullable().describe("event_id of the event that this one follows from"),
        tech_code: z.string().nullable(),
        tech_info: z.string().nullable(),
        notification_type: z.string(),
      }),
      example: {
        event_id: 3,
        occurred_at: "2026-05-01T10:29:41.000Z",
        received_at: "2026-05-01T10:29:42.120Z",
        trigger: "Alerting",
        component: { name: "Connector", evse },
        variable: { name: "Temperature" },
        value: "84",
        cleared: false,
        severity: null,
        monitor_id: 12,
        transaction_id: null,
        cause: null,
        tech_code: null,
        tech_info: null,
        notification_type: "CustomMonitor",
      },
      cursor: A_NUMBER,
      rows: (sql, { stationId, after, limit }) =>
        sql.query<EventRow>(
          `select id::text as cursor, occurred_at, received_at, data from station_events
           where station_id = $1 and ($2::bigint is null or id < $2::bigint) order by id desc limit $3`,
          [stationId, after, limit],
        ),
      view: ({ data, occurred_at, received_at }) => ({
        // Behind the schema check of the gateway, and with only the value masked since.
        event_id: data["eventId"] as number,
        occurred_at: isoMillis(occurred_at),
        received_at: isoMillis(received_at),
        trigger: data["trigger"] as string,
        component: data["component"],
        variable: data["variable"],
        value: data["actualValue"] as string | null,
        cleared: (data["cleared"] as boolean | undefined) ?? null,
        severity: (data["severity"] as number | undefined) ?? null,
        monitor_id: (data["variableMonitoringId"] as number | undefined) ?? null,
        transaction_id: (data["transactionId"] as string | undefined) ?? null,
        cause: (data["cause"] as number | undefined) ?? null,
        tech_code: (data["techCode"] as string | undefined) ?? null,
        tech_info: (data["techInfo"] as string | undefined) ?? null,
        notification_type: data["eventNotificationType"] as string,
      }),
    }),
  ];
}
