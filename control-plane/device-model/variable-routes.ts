import type pg from "pg";
import { z } from "zod";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import type { Route } from "../http/route.ts";
import { A_TEXT, stationListRoute } from "../station-items/station-list-route.ts";

interface VariableRow {
  cursor: string;
  component: string;
  component_instance: string | null;
  evse_id: number | null;
  connector_id: number | null;
  variable: string;
  variable_instance: string | null;
  attribute: "Actual" | "Target" | "MinSet" | "MaxSet";
  value: string | null;
  mutability: string | null;
  persistent: boolean | null;
  constant: boolean | null;
  characteristics: unknown;
  source: string;
  received_at: Date;
}

const attribute = z.enum(["Actual", "Target", "MinSet", "MaxSet"]);
const name = z.string().min(1).max(100).optional();

/** What a charge point is made of and how it is set. */
export function variableRoutes(deps: { pool: pg.Pool }): Route[] {
  return [
    stationListRoute(deps, {
      path: "variables",
      operationId: "listVariables",
      summary: "The variables of a charge point, by component and name",
      description:
        "OCPP 2.x: the device model as its reports, events and answers told it. OCPP 1.6: the configuration keys, of the component `ChargePoint`. It is asked for all of them after its first boot and after each new firmware. Secrets and write-only variables have no value.",
      filters: {
        component: name.describe("exact, in any case"),
        variable: name.describe("exact, in any case"),
        evse_id: z.number().int().min(0).max(2_147_483_647).optional(),
        attribute: attribute.optional(),
      },
      item: z.object({
        component: z.string(),
        component_instance: z.string().nullable(),
        evse_id: z.number().int().nullable(),
        connector_id: z.number().int().nullable(),
        variable: z.string(),
        variable_instance: z.string().nullable(),
        attribute,
        value: z.string().nullable().describe("null: not set, write-only or a secret"),
        mutability: z.string().nullable().describe("ReadOnly, WriteOnly or ReadWrite; null: no report told yet"),
        persistent: z.boolean().nullable(),
        constant: z.boolean().nullable(),
        characteristics: z.unknown().describe("data type, unit and limits, as OCPP has them; null: no report told yet"),
        told_by: z.string().describe("the OCPP action that told the value last"),
        updated_at: isoTime(),
      }),
      example: {
        component: "OCPPCommCtrlr",
        component_instance: null,
        evse_id: null,
        connector_id: null,
        variable: "HeartbeatInterval",
        variable_instance: null,
        attribute: "Actual",
        value: "300",
        mutability: "ReadWrite",
        persistent: true,
        constant: false,
        characteristics: { dataType: "integer", unit: "s", supportsMonitoring: false },
        told_by: "NotifyReport",
        updated_at: "2026-05-01T10:29:41.000Z",
      },
      cursor: A_TEXT,
      rows: (sql, { stationId, after, limit, filters }) =>
        sql.query<VariableRow>(
          `select key as cursor, component, component_instance, evse_id, connector_id, variable, variable_instance, attribute, value,
             mutability, persistent, constant, characteristics, source, received_at
           from station_variables
           where station_id = $1 and ($2::text is null or key > $2::text)
             and ($3::text is null or lower(component) = lower($3::text)) and ($4::text is null or lower(variable) = lower($4::text))
             and ($5::int is null or evse_id = $5::int) and ($6::text is null or attribute = $6::text)
           order by key limit $7`,
          [
            stationId,
            after,
            filters.component ?? null,
            filters.variable ?? null,
            filters.evse_id ?? null,
            filters.attribute ?? null,
            limit,
          ],
        ),
      view: ({ cursor: _, source, received_at, ...row }) => ({
        ...row,
        told_by: source,
        updated_at: isoMillis(received_at),
      }),
    }),
  ];
}
