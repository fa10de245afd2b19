import type pg from "pg";
import { z } from "zod";
import { commandableStation } from "../commands/find-commandable-station.ts";
import { sqlOn } from "../database.ts";
import { isoTime, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { outcomeOf, type TransferKind } from "./transfer-status.ts";

const job = named(
  "TransferJob",
  z.strictObject({
    command_id: z.string().describe("the command that asked for it"),
    action: z.string(),
    request_id: z.int().nullable().describe("what the charge point refers to; null in OCPP 1.6 without it"),
    location: z.string().nullable().describe("`***` when it holds a password or a signature"),
    log_type: z.string().nullable().describe("of uploads"),
    file_name: z.string().nullable().describe("of uploads, as the charge point named it"),
    status: z.string().describe("the charge point's last word, or how it took the command on"),
    outcome: z.enum(["running", "succeeded", "failed"]),
    requested_at: isoTime(),
    updated_at: isoTime(),
    ended_at: isoTime().nullable(),
    progress: z
      .array(z.strictObject({ status: z.string(), received_at: isoTime() }))
      .describe("what the charge point said of it, in its order: the first 100"),
  }),
);

interface JobRow {
  command_id: string;
  action: string;
  request_id: string | null;
  location: string | null;
  log_type: string | null;
  file_name: string | null;
  status: string;
  requested_at: Date;
  requested_key: string;
  updated_at: Date;
  ended_at: Date | null;
  progress: { status: string; received_at: string }[];
}

const EXAMPLE = {
  command_id: "cmd_4tq0v8yq2m1xkz7c5h9d3rwbne",
  action: "UpdateFirmware",
  request_id: 4711,
  location: "https://firmware.example.org/x1-3.5.0.bin",
  log_type: null,
  file_name: null,
  status: "Installed",
  outcome: "succeeded",
  requested_at: "2026-05-01T10:23:00.000Z",
  updated_at: "2026-05-01T10:41:30.000Z",
  ended_at: "2026-05-01T10:41:30.000Z",
  progress: [
    { status: "Downloading", received_at: "2026-05-01T10:23:04.000Z" },
    { status: "Installed", received_at: "2026-05-01T10:41:30.000Z" },
  ],
} as const;

/** Firmware updates and uploads of logs that charge points took on. */
export function transferRoutes({ pool }: { pool: pg.Pool }): Route[] {
  const sql = sqlOn(pool);

  async function jobsOf(stationId: string, kinds: TransferKind[], limit: number, before: string[] | undefined) {
    return sql.query<JobRow>(
      `select j.command_id, j.action, j.request_id::text, j.location, j.log_type, j.file_name, j.status, j.requested_at, j.updated_at, j.ended_at,
         to_char(j.requested_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as requested_key,
         coalesce((select json_agg(json_build_object('status', p.status,
             'received_at', to_char(p.received_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by p.epoch, p.seq)
           from transfer_job_progress p where p.command_id = j.command_id), '[]') as progress
       from transfer_jobs j
       where j.station_id = $1 and j.kind = any($2::text[]) and ($3::timestamptz is null or (j.requested_at, j.command_id) < ($3, $4))
       order by j.requested_at desc, j.command_id desc limit $5`,
      [stationId, kinds, before?.[0] ?? null, before?.[1] ?? null, limit + 1],
    );
  }

  const listRoute = (
    name: "firmware_updates" | "log_uploads",
    kinds: TransferKind[],
    summary: string,
    operationId: string,
  ) =>
    defineRoute({
      method: "get",
      path: `/api/v1/charge-points/{charge_point_id}/${name.replace("_", "-")}`,
      operationId,
      summary,
      tag: "Firmware and logs",
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params: z.strictObject({ charge_point_id: z.string().min(1).max(64) }),
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "One page, newest first",
          schema: z.strictObject({ [name]: z.array(job), ...pageAnswer }),
          example: { [name]: [EXAMPLE], next_cursor: null, has_more: false },
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params, query }) {
        const station = await commandableStation(sql, caller.orgId, params.charge_point_id);
        const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await jobsOf(station.id, kinds, query.limit, before);
        const { page, ...rest } = pageOf(rows, query.limit, (row) => [row.requested_key, row.command_id]);
        return { status: 200, body: { [name]: page.map(toAnswer), ...rest } };
      },
    });

  return [
    listRoute(
      "firmware_updates",
      ["firmware", "publish"],
      "Firmware updates of a charge point, newest first, with their progress",
      "listFirmwareUpdates",
    ),
    listRoute(
      "log_uploads",
      ["log"],
      "Uploads of diagnostics and logs of a charge point, newest first, with their progress",
      "listLogUploads",
    ),
  ];
}

function toAnswer({ requested_key: _, ...row }: JobRow): z.output<typeof job> {
  return {
    ...row,
    request_id: row.request_id === null ? null : Number(row.request_id),
    outcome: outcomeOf(row.status),
    requested_at: isoMillis(row.requested_at),
    updated_at: isoMillis(row.updated_at),
    ended_at: row.ended_at && isoMillis(row.ended_at),
  };
}
