import { z } from "zod";
import { type Sql, sqlOn } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import type { PasswordChangeState } from "./password-change.ts";
import { type CredentialDeps, rotateCredentials } from "./rotate-credentials.ts";

const STATES = [
  "preparing",
  "queued",
  "unconfirmed",
  "accepted",
  "confirmed",
  "rejected",
  "not_sent",
  "replaced",
] as const;

const rotation = named(
  "CredentialRotation",
  z.strictObject({
    rotation_id: z.string(),
    charge_point_id: z.string(),
    status: z
      .enum(STATES)
      .describe(
        "preparing: the gateways are told of the new password; queued: the command waits or is under way; unconfirmed: the charge point may have it, both passwords are accepted; accepted: it said so, the old one is refused; confirmed: it connected with the new one; rejected and not_sent: the old one stays; replaced: a new provisioning password was set instead",
      ),
    command_id: z.string().nullable().describe("the newest command that carried the password"),
    requested_at: isoTime(),
    ended_at: isoTime().nullable().describe("null while it is open"),
    confirmed_at: isoTime().nullable().describe("when the charge point first connected with the new password"),
  }),
);
const example: z.input<typeof rotation> = {
  rotation_id: "rot_01hxab1c2d3e4f5g",
  charge_point_id: "cp_01hxab1c2d3e",
  status: "queued",
  command_id: "cmd_01hxab1c2d3e4f5g6h7j8k9m0n",
  requested_at: "2026-05-01T10:00:00.000Z",
  ended_at: null,
  confirmed_at: null,
};
const params = z.strictObject({ charge_point_id: z.string().min(1).max(64) });
const notFound = (id: string) => new ProblemError("charge_point_not_found", `There is no charge point ${id}.`);

/** Changing the passwords by which stations log in, over OCPP. */
export function credentialRoutes(deps: CredentialDeps): Route[] {
  const sql = sqlOn(deps.registry.pool);
  return [
    defineRoute({
      method: "post",
      path: "/api/v1/charge-points/{charge_point_id}/rotate-credentials",
      operationId: "rotateCredentials",
      summary: "Give a charge point a new password over OCPP, without going there",
      description:
        "A random password is made that nobody gets to see, and sent with ChangeConfiguration (OCPP 1.6 AuthorizationKey) or SetVariables (2.x BasicAuthPassword) as soon as the charge point is connected. Before it is sent both passwords are accepted, and they stay so while nobody knows what became of it. While an earlier rotation is unconfirmed, its password is sent again.",
      tag: "Charge points",
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "command",
      idempotent: true,
      params,
      responses: { 202: { description: "Begun", schema: rotation, headers: ["Location"], example } },
      problems: ["charge_point_not_found", "conflict"],
      async handle({ caller, params: { charge_point_id: chargePointId } }) {
        const begun = await rotateCredentials(deps, { orgId: caller.orgId, chargePointId, requestedBy: caller.keyId });
        if (!begun.ok) {
          if (begun.error.kind === "not-found") throw notFound(chargePointId);
          throw new ProblemError("conflict", `A new password is on its way to ${chargePointId} already.`, {
            remedy: "Wait for its end: GET the charge point's credential-rotation.",
          });
        }
        const body = await findRotation(sql, caller.orgId, chargePointId);
        const location = `/api/v1/charge-points/${chargePointId}/credential-rotation`;
        return { status: 202, body, headers: { location } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/credential-rotation",
      operationId: "getCredentialRotation",
      summary: "What became of the newest change of a charge point's password over OCPP",
      tag: "Charge points",
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params,
      responses: { 200: { description: "The newest rotation", schema: rotation, example } },
      problems: ["not_found"],
      async handle({ caller, params: { charge_point_id: chargePointId } }) {
        const body = await findRotation(sql, caller.orgId, chargePointId);
        if (body === undefined)
          throw new ProblemError("not_found", `No password of ${chargePointId} was ever changed over OCPP.`);
        return { status: 200, body };
      },
    }),
  ];
}

interface RotationRow {
  id: string;
  state: PasswordChangeState;
  command_id: string | null;
  created_at: Date;
  closed_at: Date | null;
  confirmed_at: Date | null;
}

async function findRotation(
  sql: Sql,
  orgId: string,
  chargePointId: string,
): Promise<z.output<typeof rotation> | undefined> {
  const [row] = await sql.query<RotationRow>(
    `select c.id, c.state, c.command_id, c.created_at, c.closed_at, c.confirmed_at
     from password_changes c join stations s on s.id = c.station_id
     where s.charge_point_id = $1 and s.org_id = $2 and s.retired_at is null order by c.created_at desc limit 1`,
    [chargePointId, orgId],
  );
  return (
    row && {
      rotation_id: row.id,
      charge_point_id: chargePointId,
      status: row.state,
      command_id: row.command_id,
      requested_at: isoMillis(row.created_at),
      ended_at: row.closed_at && isoMillis(row.closed_at),
      confirmed_at: row.confirmed_at && isoMillis(row.confirmed_at),
    }
  );
}
