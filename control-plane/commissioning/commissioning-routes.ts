import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type pg from "pg";
import { z } from "zod";
import type { Owner } from "../commands/resolve-owner.ts";
import { sqlOn } from "../database.ts";
import { lines } from "../http/fields.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import type { WakeUps } from "../jobs/durable-work.ts";
import { FAN_OUT_WORK } from "../webhooks/record-event.ts";
import type { DiagnoseConnection } from "./advance-commissioning.ts";
import { startAnswer, statusAnswer, toStartAnswer, toStatusAnswer } from "./commissioning-answer.ts";
import { readRevision, streamEvents, waitForRevision } from "./commissioning-events.ts";
import { type Commissioning, findCommissioning, loadChecks } from "./commissioning-rows.ts";
import type { CommissioningSettings } from "./commissioning-settings.ts";
import { wakeAgain } from "./commissioning-work.ts";
import { findInstallerStation } from "./installer-station.ts";
import { startCommissioning } from "./start-commissioning.ts";

export interface CommissioningRoutesDeps {
  pool: pg.Pool;
  resolveOwner(identity: StationIdentity): Promise<Owner | undefined>;
  /** Resolves when what the owner's gateway answered by now is on record, or soon after. */
  awaitIntake(owner: Owner): Promise<void>;
  diagnose: DiagnoseConnection;
  wakeUps: WakeUps;
  settings: CommissioningSettings;
}

const BASE = "/api/v1/installer/commissioning/{charge_point_id}";
const TAG = "Commissioning";
const START_EXAMPLE = {
  commissioning_id: "comm_01hxef4g5h6i",
  charge_point_id: "cp_01hxab1c2d3e",
  status: "in_progress",
  checks: [
    { name: "ocpp_connection", status: "passed" },
    { name: "heartbeat", status: "passed" },
    { name: "meter_calibration", status: "in_progress" },
    { name: "firmware_version", status: "passed", value: "3.4.1" },
  ],
  started_at: "2026-05-01T10:31:00Z",
};
const STATUS_EXAMPLE = { ...START_EXAMPLE, completed_at: null };
const params = z.strictObject({ charge_point_id: z.string().min(1).max(64) });

/** What an installer does about a charge point's commissioning: start it, look at it, watch it. */
export function commissioningRoutes({
  pool,
  resolveOwner,
  awaitIntake,
  diagnose,
  wakeUps,
  settings,
}: CommissioningRoutesDeps): Route[] {
  const sql = sqlOn(pool);

  async function commissioningOf(installerId: string, chargePointId: string): Promise<Commissioning> {
    const station = await findInstallerStation(sql, installerId, chargePointId);
    if (station === undefined) throw noSuchChargePoint(chargePointId);
    const commissioning = await findCommissioning(sql, { stationId: station.id }, "read");
    if (commissioning === undefined)
      throw new ProblemError("not_found", `The commissioning of ${chargePointId} has not been started.`, {
        remedy: `Start it with POST /api/v1/installer/commissioning/${chargePointId}/start.`,
      });
    return commissioning;
  }

  const statusRoute = (path: string, operationId: string) =>
    defineRoute({
      method: "get",
      path,
      operationId,
      summary: "How far the commissioning of a charge point is",
      description:
        "Answers 304 to an If-None-Match that is still current. With `wait` it answers as soon as something has changed since, or after that many seconds.",
      tag: TAG,
      access: { kind: "installer" },
      rateLimit: "read",
      params,
      query: z.strictObject({ wait: z.int().min(0).max(30).default(0).describe("seconds to wait for a change") }),
      responses: {
        200: { description: "The commissioning", schema: statusAnswer, headers: ["ETag"], example: STATUS_EXAMPLE },
        304: { description: "Nothing has changed", headers: ["ETag"] },
      },
      problems: ["charge_point_not_found", "not_found"],
      async handle({ caller, params: { charge_point_id }, query, header, signal }) {
        const before = await commissioningOf(caller.installerId, charge_point_id);
        const known = header("if-none-match");
        if (query.wait > 0) {
          const isNews =
            known === undefined
              ? (moved: { status: string }) => moved.status !== "in_progress"
              : (moved: { revision: number }) => !matches(known, moved.revision);
          await waitForRevision(sql, before.id, isNews, query.wait * 1_000, signal);
        }
        const commissioning = (await findCommissioning(sql, { id: before.id }, "read")) ?? before;
        const headers = { etag: etag(commissioning.revision), "cache-control": "no-cache" };
        if (known !== undefined && matches(known, commissioning.revision)) return { status: 304, headers };
        return { status: 200, headers, body: toStatusAnswer(commissioning, await loadChecks(sql, commissioning.id)) };
      },
    });

  return [
    defineRoute({
      method: "post",
      path: `${BASE}/start`,
      operationId: "startCommissioning",
      summary: "Start the commissioning of a charge point, or go on with it",
      description:
        "A second start goes on where the first stands, under the same id: what has passed stays passed, what failed is tried again.",
      tag: TAG,
      access: { kind: "installer" },
      rateLimit: "write",
      idempotent: true,
      params,
      body: z.strictObject({
        run_connectivity_test: z
          .boolean()
          .optional()
          .describe("false: ocpp_connection is skipped. Default true, on later starts what the first said"),
        run_meter_calibration: z
          .boolean()
          .optional()
          .describe("false: meter_calibration is skipped. Default true, on later starts what the first said"),
        notes: lines(2_000).optional(),
      }),
      bodyExample: {
        run_connectivity_test: true,
        run_meter_calibration: true,
        notes: "Installed in underground car park — check signal strength.",
      },
      responses: {
        202: { description: "Started", schema: startAnswer, headers: ["Location"], example: START_EXAMPLE },
        200: {
          description: "There was one, and it goes on",
          schema: startAnswer,
          headers: ["Location"],
          example: START_EXAMPLE,
        },
      },
      problems: ["charge_point_not_found", "project_handed_over"],
      async handle({ caller, params: { charge_point_id }, body }) {
        const request = {
          installerId: caller.installerId,
          chargePointId: charge_point_id,
          connectivityTest: body.run_connectivity_test,
          meterCalibration: body.run_meter_calibration,
          notes: body.notes,
        };
        const started = await startCommissioning(request, { pool, resolveOwner, awaitIntake, diagnose, settings });
        if (!started.ok) {
          if (started.error === "not_found") throw noSuchChargePoint(charge_point_id);
          throw new ProblemError("project_handed_over", `The project of ${charge_point_id} was handed over.`);
        }
        const { commissioning, checks, eventIds, created } = started.value;
        for (const id of eventIds) wakeUps.wake(FAN_OUT_WORK, id);
        wakeAgain(wakeUps, started.value);
        return {
          status: created ? 202 : 200,
          body: toStartAnswer(commissioning, checks),
          headers: { location: `/api/v1/installer/commissioning/${charge_point_id}` },
        };
      },
    }),
    statusRoute(BASE, "getCommissioning"),
    statusRoute(`${BASE}/status`, "getCommissioningStatus"),
    defineRoute({
      method: "get",
      path: `${BASE}/events`,
      operationId: "watchCommissioning",
      summary: "Live progress of a commissioning, as Server-Sent Events",
      description:
        "`progress` at once and after every change, then `completed` or `failed`, and the stream ends. Data is the commissioning as its status shows it. Last-Event-ID resumes; 204 when there is nothing more to come.",
      tag: TAG,
      access: { kind: "installer" },
      rateLimit: "read",
      params,
      responses: {
        200: { description: "The events", contentType: "text/event-stream" },
        204: { description: "The client has seen the end" },
      },
      problems: ["charge_point_not_found", "not_found"],
      async handle({ caller, params: { charge_point_id }, header }) {
        const commissioning = await commissioningOf(caller.installerId, charge_point_id);
        const lastEventId = header("last-event-id");
        const lastSeen = lastEventId !== undefined && /^\d{1,9}$/.test(lastEventId) ? Number(lastEventId) : undefined;
        const now = await readRevision(sql, commissioning.id);
        // What tells an EventSource to stay away (HTML, "Server-sent events": 204).
        if (now?.status !== "in_progress" && now?.revision === lastSeen) return { status: 204 };
        return {
          status: 200,
          headers: {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
          },
          raw: (sink) => streamEvents(sql, commissioning.id, lastSeen, caller.tokenExpiresAt.getTime(), sink),
        };
      },
    }),
  ];
}

const noSuchChargePoint = (id: string) =>
  new ProblemError("charge_point_not_found", `There is no charge point ${id} in your projects.`);
const etag = (revision: number) => `"r${revision}"`;
/** If-None-Match compares weakly (RFC 9110 §13.1.2). */
const matches = (header: string, revision: number) =>
  header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag(revision));
