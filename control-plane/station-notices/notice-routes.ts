import type pg from "pg";
import { z } from "zod";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import type { Route } from "../http/route.ts";
import { asOcpp } from "../station-items/item-lists.ts";
import { A_NUMBER, stationListRoute } from "../station-items/station-list-route.ts";
import type { NoticeKind } from "./record-notices.ts";

const kind = z.enum(["battery_swap", "der_alarm", "der_start_stop", "priority_charging"]);

interface NoticeRow {
  cursor: string;
  kind: NoticeKind;
  data: Record<string, unknown>;
  received_at: Date;
}

const swap = {
  requestId: 5,
  eventType: "BatteryOut",
  batteryData: [{ evseId: 1, serialNumber: "B-17", soC: 96, soH: 99 }],
};

/** What 2.1 stations tell of, beside what is in force. */
export function noticeRoutes(deps: { pool: pg.Pool }): Route[] {
  const rowsOf = (only: NoticeKind | undefined) => {
    return stationListRoute(deps, {
      path: only === undefined ? "notices" : "battery-swaps",
      operationId: only === undefined ? "listNotices" : "listBatterySwaps",
      summary:
        only === undefined
          ? "What a charge point told of batteries, grid support and priority charging, newest first (OCPP 2.1)"
          : "The battery swaps of a charge point, newest first (OCPP 2.1)",
      filters: only === undefined ? { kind: kind.optional() } : {},
      item: z.object({ notice_id: z.string(), kind, message: asOcpp("the message"), received_at: isoTime() }),
      example: {
        notice_id: "991",
        kind: "battery_swap" as const,
        message: swap,
        received_at: "2026-05-01T10:29:42.120Z",
      },
      cursor: A_NUMBER,
      rows: (sql, { stationId, after, limit, filters }) =>
        sql.query<NoticeRow>(
          `select id::text as cursor, kind, data, received_at from station_notices
           where station_id = $1 and ($2::bigint is null or id < $2::bigint) and ($3::text is null or kind = $3::text)
           order by id desc limit $4`,
          [stationId, after, only ?? (filters as { kind?: NoticeKind }).kind ?? null, limit],
        ),
      view: (row) => ({
        notice_id: row.cursor,
        kind: row.kind,
        message: row.data,
        received_at: isoMillis(row.received_at),
      }),
    });
  };
  return [rowsOf(undefined), rowsOf("battery_swap")];
}
