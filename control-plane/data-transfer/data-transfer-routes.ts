import type pg from "pg";
import { z } from "zod";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import type { Route } from "../http/route.ts";
import { stationListRoute } from "../station-items/station-list-route.ts";

const direction = z.enum(["from_charge_point", "to_charge_point"]);

/** Cursors: connection and number within it. */
const PLACE = /^\d{1,15}\/\d{1,9}$/;

interface TransferRow {
  cursor: string;
  received_at: Date;
  direction: z.output<typeof direction>;
  vendor_id: string;
  message_id: string | null;
  data: unknown;
  status: string;
  response_data: unknown;
}

/** Vendors' own messages. */
export const dataTransferRoutes = (deps: { pool: pg.Pool }): Route[] => [
  stationListRoute(deps, {
    path: "data-transfers",
    operationId: "listDataTransfers",
    summary: "The DataTransfer messages of a charge point with their answers, newest first",
    description: "Both ways. Those of charge points are answered by the hook of their vendor (docs/data-transfer.md).",
    scope: "read:messages",
    filters: {
      vendor_id: z.string().min(1).max(255).optional().describe("exact, in any case"),
      direction: direction.optional(),
    },
    item: z.object({
      received_at: isoTime(),
      direction,
      vendor_id: z.string(),
      message_id: z.string().nullable(),
      data: z.unknown(),
      status: z.string().describe("of the answer"),
      response_data: z.unknown(),
    }),
    example: {
      received_at: "2026-05-01T10:29:42.120Z",
      direction: "from_charge_point",
      vendor_id: "com.example",
      message_id: "cableTemperature",
      data: '{"celsius":31}',
      status: "Accepted",
      response_data: null,
    },
    cursor: PLACE,
    rows: (sql, { stationId, after, limit, filters }) =>
      sql.query<TransferRow>(
        `select epoch || '/' || seq as cursor, received_at, direction, vendor_id, message_id, data, status, response_data from data_transfers
         where station_id = $1 and ($2::bigint is null or (epoch, seq) < ($2::bigint, $3::int))
           and ($4::text is null or lower(vendor_id) = lower($4::text)) and ($5::text is null or direction = $5::text)
         order by epoch desc, seq desc limit $6`,
        [
          stationId,
          ...(after?.split("/") ?? [null, null]),
          filters.vendor_id ?? null,
          filters.direction ?? null,
          limit,
        ],
      ),
    view: ({ cursor: _, received_at, ...row }) => ({ ...row, received_at: isoMillis(received_at) }),
  }),
];
