import { ATTEMPT_OUTCOMES, type ConnectionAttempt } from "@dynamo-csms/proto/connection-attempt";
import type pg from "pg";
import { z } from "zod";
import { findCommandableStation } from "../commands/find-commandable-station.ts";
import { findInstallerStation } from "../commissioning/installer-station.ts";
import { type Sql, sqlOn } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { type EvidenceDeps, loadConnectionEvidence } from "./connection-evidence.ts";
import { diagnose } from "./diagnose.ts";
import { detailOf, DIAGNOSIS_CODES, remedyFor, seenOf, type UnitSettings } from "./remedies.ts";
import { SIMILARITIES } from "./similar-attempts.ts";

export interface ConnectionAttemptDeps extends EvidenceDeps {
  pool: pg.Pool;
}

const seen = {
  at: isoTime(),
  outcome: z.enum(ATTEMPT_OUTCOMES),
  detail: z.string(),
  path: z.string().describe("of the URL, as it came"),
  subprotocols: z.string().describe("what was offered"),
  remote_address: z.string(),
  times: z.number().int().describe("how often the same came from the same address; `at` is the last"),
};
const answer = named(
  "ConnectionAttempts",
  z.object({
    charge_point_id: z.string(),
    identity: z.string().describe("what the unit must call itself"),
    ocpp_endpoint: z.string(),
    online: z.boolean().nullable().describe("null: cannot be told at the moment"),
    diagnosis: z
      .object({
        code: z.enum(DIAGNOSIS_CODES),
        detail: z.string(),
        remedy: z.string().nullable().describe("what to do on site; null: nothing"),
      })
      .describe("the best explanation of how things stand now"),
    attempts: z
      .array(
        z.object({
          ...seen,
          remedy: z.string().nullable(),
          listener: z.enum(["plain", "tls", "mutual_tls"]),
          notes: z.array(z.string()).describe("what was forgiven"),
          node_id: z.string(),
        }),
      )
      .describe("the last 20, newest first"),
    similar_unknown: z
      .array(z.object({ ...seen, similarity: z.enum(SIMILARITIES) }))
      .describe("attempts under ids that nobody has registered, which are probably this unit's with a typing error"),
    oversized_frames: z
      .object({ last_30_days: z.number().int(), last_at: isoTime().nullable() })
      .describe("connections that ended because of a message over the size limit"),
    note: z.string().nullable().describe("what is missing from this answer, and why"),
  }),
);

const EXAMPLE = {
  charge_point_id: "cp_01hxab1c2d3e",
  identity: "cp_01hxab1c2d3e",
  ocpp_endpoint: "wss://ocpp.dynamo-csms.com/ocpp/1.6/cp_01hxab1c2d3e",
  online: false,
  diagnosis: {
    code: "no_credentials",
    detail: "The unit sends no user name and password. Last at 2026-05-01T10:30:05.120Z, 4 times.",
    remedy: "Switch HTTP Basic authentication on in the unit.",
  },
  attempts: [
    {
      at: "2026-05-01T10:30:05.120Z",
      outcome: "no_credentials",
      detail: "The unit sends no user name and password.",
      path: "/ocpp/1.6/cp_01hxab1c2d3e",
      subprotocols: "ocpp1.6",
      remote_address: "192.0.2.17",
      times: 4,
      remedy: "Switch HTTP Basic authentication on in the unit.",
      listener: "tls",
      notes: [],
      node_id: "gateway-0",
    },
  ],
  similar_unknown: [],
  oversized_frames: { last_30_days: 0, last_at: null },
  note: null,
};
const LISTENERS = { 1: "plain", 2: "tls", 3: "mutual_tls" } as const;
const params = z.strictObject({ charge_point_id: z.string().max(64) });
const SUMMARY = "Why a charge point does not connect: its last attempts, each with what to do";

/** The last attempts of a unit to connect, to those who stand before it and those who operate it. */
export function connectionAttemptRoutes({ pool, ...evidence }: ConnectionAttemptDeps): Route[] {
  const sql = sqlOn(pool);
  const noSuchChargePoint = (id: string) =>
    new ProblemError("charge_point_not_found", `There is no charge point ${id}.`);
  const shared = {
    method: "get",
    summary: SUMMARY,
    rateLimit: "read",
    params,
    responses: { 200: { description: "The attempts", schema: answer, example: EXAMPLE } },
    problems: ["charge_point_not_found"],
  } as const;
  return [
    defineRoute({
      ...shared,
      path: "/api/v1/installer/charge-points/{charge_point_id}/connection-attempts",
      operationId: "listInstallerConnectionAttempts",
      tag: "Installer",
      access: { kind: "installer" },
      async handle({ caller, params: { charge_point_id } }) {
        const station = await findInstallerStation(sql, caller.installerId, charge_point_id);
        if (station === undefined) throw noSuchChargePoint(charge_point_id);
        return { status: 200, body: await attemptsOf(sql, evidence, station.id, charge_point_id) };
      },
    }),
    defineRoute({
      ...shared,
      path: "/api/v1/charge-points/{charge_point_id}/connection-attempts",
      operationId: "listConnectionAttempts",
      tag: "Charge points",
      access: { kind: "organization", scope: "read:charge_points" },
      async handle({ caller, params: { charge_point_id } }) {
        const station = await findCommandableStation(sql, caller.orgId, charge_point_id);
        if (station === undefined) throw noSuchChargePoint(charge_point_id);
        return { status: 200, body: await attemptsOf(sql, evidence, station.id, charge_point_id) };
      },
    }),
  ];
}

async function attemptsOf(
  sql: Sql,
  deps: EvidenceDeps,
  stationId: string,
  chargePointId: string,
): Promise<z.output<typeof answer>> {
  const evidence = await loadConnectionEvidence(sql, deps, stationId);
  const { unit, online } = evidence;
  return {
    charge_point_id: chargePointId,
    identity: unit.identity,
    ocpp_endpoint: unit.endpoint,
    online: online ?? null,
    diagnosis: diagnose(evidence),
    attempts: evidence.attempts.map((attempt) => ({
      ...attemptView(attempt),
      remedy: attemptRemedy(attempt, unit),
      listener: LISTENERS[attempt.listener],
      notes: attempt.notes,
      node_id: attempt.nodeId,
    })),
    similar_unknown: evidence.similar.map(({ attempt, similarity }) => ({ ...attemptView(attempt), similarity })),
    oversized_frames: await oversizedFrames(sql, stationId),
    note:
      online === undefined
        ? "The attempts themselves cannot be read at the moment; the diagnosis is made without them."
        : null,
  };
}

const attemptView = (attempt: ConnectionAttempt) => ({
  at: isoMillis(new Date(attempt.atMs)),
  outcome: attempt.outcome,
  detail: [detailOf(attempt.outcome), ...seenOf(attempt, attempt.times ?? 1)].join(" "),
  path: attempt.path,
  subprotocols: attempt.subprotocols,
  remote_address: attempt.remoteAddress,
  times: attempt.times ?? 1,
});

const attemptRemedy = ({ outcome, notes }: ConnectionAttempt, unit: UnitSettings): string | null =>
  remedyFor(
    outcome === "connected" && notes.includes("repeated-identity") ? "identity_duplicated_in_path" : outcome,
    unit,
  );

async function oversizedFrames(sql: Sql, stationId: string): Promise<z.output<typeof answer>["oversized_frames"]> {
  const [row] = await sql.query<{ count: number; last_at: Date | null }>(
    `select coalesce(sum(count), 0)::float8 as count, max(last_at) as last_at from oversized_frames
     where station_id = $1 and day > current_date - 30`,
    [stationId],
  );
  return { last_30_days: row?.count ?? 0, last_at: row?.last_at ? isoMillis(row.last_at) : null };
}
