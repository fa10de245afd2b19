import { z } from "zod";
import type pg from "pg";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import type { Route } from "../http/route.ts";
import type { ItemKind } from "./record-items.ts";
import { A_TEXT, stationListRoute } from "./station-list-route.ts";

interface ItemRow {
  cursor: string;
  data: Record<string, unknown>;
  present: boolean;
  received_at: Date;
}

const common = {
  in_force: z.boolean().describe("false: cleared, closed or replaced since"),
  updated_at: isoTime(),
};

export interface ItemList {
  kind: ItemKind;
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  /** The members of an item's data; all may be missing, for stations tell of things in parts. */
  members: z.ZodRawShape;
  example: Record<string, unknown>;
}

/** A list of what is in force at a station, out of `station_items`. */
export function itemListRoute(deps: { pool: pg.Pool }, list: ItemList): Route {
  return stationListRoute(deps, {
    ...list,
    filters: {
      past: z.boolean().default(false).describe("also what is in force no more"),
    },
    item: z.object({ ...list.members, ...common }),
    example: { ...list.example, in_force: true, updated_at: "2026-05-01T10:29:41.000Z" },
    cursor: A_TEXT,
    rows: (sql, { stationId, after, limit, filters }) =>
      sql.query<ItemRow>(
        `select item_key as cursor, data, present, received_at from station_items
         where station_id = $1 and kind = $2 and ($3::text is null or item_key > $3::text) and (present or $4::boolean)
         order by item_key limit $5`,
        [stationId, list.kind, after, filters.past, limit],
      ),
    view: ({ data, present, received_at }) => ({
      ...Object.fromEntries(Object.keys(list.members).map((name) => [name, data[name] ?? null])),
      in_force: present,
      updated_at: isoMillis(received_at),
    }),
  });
}

/** Something as OCPP has it, in OCPP's own names. */
export const asOcpp = (what: string) => z.unknown().describe(`${what}, as OCPP has it; null: not told`);
