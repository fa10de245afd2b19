import type pg from "pg";
import { z } from "zod";
import { commandableStation } from "../commands/find-commandable-station.ts";
import { sqlOn } from "../database.ts";
import { isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { defineRoute, type Route, type Scope } from "../http/route.ts";
import { shownToken, TOKENS_MASKED } from "../message-log/token-scope.ts";

const STATES = ["active", "cancelled", "used", "expired", "removed"] as const;

const reservation = named(
  "Reservation",
  z.strictObject({
    reservation_id: z.int(),
    evse_id: z.int().nullable().describe("1.6: the connector, 0 for any; null: any"),
    connector_type: z.string().nullable(),
    id_token: z.string().describe(TOKENS_MASKED),
    id_token_type: z.string().nullable().describe("null for OCPP 1.6"),
    group_id_token: z.string().nullable().describe(TOKENS_MASKED),
    expires_at: isoTime().nullable(),
    state: z
      .enum(STATES)
      .describe("expired also when its time is over and the charge point said nothing; removed: by the charge point"),
    transaction_id: z.string().nullable().describe("the transaction that used it"),
    command_id: z.string().nullable(),
    recorded_at: isoTime(),
    ended_at: isoTime().nullable(),
  }),
);

interface ReservationRow extends Omit<
  z.output<typeof reservation>,
  "reservation_id" | "expires_at" | "recorded_at" | "ended_at"
> {
  reservation_id: string;
  expires_at: Date | null;
  recorded_at: Date;
  recorded_key: string;
  ended_at: Date | null;
}

/** What a charge point accepted to keep free. */
export function reservationRoutes({ pool }: { pool: pg.Pool }): Route[] {
  const sql = sqlOn(pool);
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/reservations",
      operationId: "listReservations",
      summary: "Reservations of a charge point, newest first",
      description:
        "Made and cancelled with ReserveNow and CancelReservation (send_command); ended by the charge point's own messages, or by the transaction that uses them.",
      tag: "Reservations",
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params: z.strictObject({ charge_point_id: z.string().min(1).max(64) }),
      query: z.strictObject({ state: z.enum(STATES).optional(), ...pageQuery }),
      responses: {
        200: {
          description: "One page",
          schema: z.strictObject({ reservations: z.array(reservation), ...pageAnswer }),
          example: {
            reservations: [
              {
                reservation_id: 17,
                evse_id: 1,
                connector_type: null,
                id_token: "04A2B3C4D5E680",
                id_token_type: "ISO14443",
                group_id_token: null,
                expires_at: "2026-05-01T11:00:00.000Z",
                state: "active",
                transaction_id: null,
                command_id: "cmd_4tq0v8yq2m1xkz7c5h9d3rwbne",
                recorded_at: "2026-05-01T10:23:00.000Z",
                ended_at: null,
              },
            ],
            next_cursor: null,
            has_more: false,
          },
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params, query }) {
        const station = await commandableStation(sql, caller.orgId, params.charge_point_id);
        const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 2, reservationKeys);
        const rows = await sql.query<ReservationRow>(
          `select * from (
             select reservation_id::text, evse_id, connector_type, id_token, id_token_type, group_id_token, expires_at,
               case when state = 'active' and expires_at <= now() then 'expired' else state end as state,
               transaction_id, command_id, recorded_at, ended_at,
               to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as recorded_key
             from reservations
             where station_id = $1 and ($2::timestamptz is null or (recorded_at, reservation_id) < ($2, $3::bigint))) as r
           where $4::text is null or state = $4
           order by recorded_at desc, reservation_id::bigint desc limit $5`,
          [station.id, before?.[0] ?? null, before?.[1] ?? null, query.state ?? null, query.limit + 1],
        );
        const { page, ...rest } = pageOf(rows, query.limit, (row) => [row.recorded_key, row.reservation_id]);
        return { status: 200, body: { reservations: page.map((row) => toAnswer(row, caller.scopes)), ...rest } };
      },
    }),
  ];
}

const reservationKeys = (keys: string[]): boolean => timeAndId(keys) && /^-?\d{1,18}$/.test(keys[1] ?? "");

function toAnswer({ recorded_key: _, ...row }: ReservationRow, scopes: readonly Scope[]): z.output<typeof reservation> {
  return {
    ...row,
    id_token: shownToken(row.id_token, scopes),
    group_id_token: shownToken(row.group_id_token, scopes),
    reservation_id: Number(row.reservation_id),
    expires_at: row.expires_at && isoMillis(row.expires_at),
    recorded_at: isoMillis(row.recorded_at),
    ended_at: row.ended_at && isoMillis(row.ended_at),
  };
}
