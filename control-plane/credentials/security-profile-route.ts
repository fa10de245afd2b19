import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { z } from "zod";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import {
  chargePointDetail,
  type ChargePointRow,
  chargePointWithDetail,
  SELECT_CHARGE_POINTS,
} from "../stations/charge-point-view.ts";
import { lockOperatorsUnit } from "../stations/lock-operators-unit.ts";
import { connectedNow } from "../stations/presence.ts";
import { type RegistryDeps, requestRegistryWrite, writeRegistryNow } from "../stations/station-registry.ts";

export type SecurityProfile = 1 | 2 | 3;

/**
 * Whether a station may go from one security profile to another: upwards always; downwards only from 3 to 2, and only when
 * the operator says that they mean it (2.x A05, erratum 2025-09 §2.5).
 */
export const mayChangeProfile = (from: SecurityProfile, to: SecurityProfile, allowDowngrade: boolean): boolean =>
  to >= from || (from === 3 && to === 2 && allowDowngrade);

interface ProfileChange {
  to: SecurityProfile;
  allowDowngrade: boolean;
  /** To 3 although nobody has seen a certificate of the station. */
  force: boolean;
}

/**
 * Whether the station is known to get in by a certificate: one of our authority that it used and that still counts, or, for
 * those of other authorities, of which we keep nothing, the connection that it has now.
 */
async function usesCertificate(sql: Sql, stationId: string): Promise<boolean> {
  const rows = await sql.query(
    `select 1 where exists (select 1 from station_certificates c where c.station_id = $1 and c.first_used_at is not null
                              and c.revoked_at is null and c.not_after > now())
       or exists (select 1 from station_connections k where k.station_id = $1 and k.listener = 3 and k.closed_at is null)`,
    [stationId],
  );
  return rows.length > 0;
}

/**
 * Changes which connections of the station are let in. Upwards it is disconnected: what it is connected by is too little now.
 */
async function changeProfile(
  registry: RegistryDeps,
  by: { orgId: string; chargePointId: string },
  change: ProfileChange,
): Promise<
  Result<string, { kind: "not-found" } | { kind: "no-certificate" } | { kind: "downgrade"; from: SecurityProfile }>
> {
  const changed = await inTransaction(registry.pool, async (sql) => {
    const unit = await lockOperatorsUnit(sql, by.orgId, by.chargePointId);
    if (unit === undefined) return err({ kind: "not-found" as const });
    const [row] = await sql.query<{ from: SecurityProfile }>(
      `select security_profile as "from" from stations where id = $1`,
      [unit.id],
    );
    const from = row?.from ?? 1;
    if (!mayChangeProfile(from, change.to, change.allowDowngrade)) return err({ kind: "downgrade" as const, from });
    if (change.to === 3 && from !== 3 && !change.force && !(await usesCertificate(sql, unit.id)))
      return err({ kind: "no-certificate" as const });
    await sql.query(`update stations set security_profile = $2 where id = $1`, [unit.id, change.to]);
    if (from !== change.to)
      await requestRegistryWrite(sql, unit.id, ...(change.to > from ? ["close-socket" as const] : []));
    return ok(unit.id);
  });
  if (changed.ok) await writeRegistryNow(registry, changed.value);
  return changed;
}

/** What an operator changes of a charge point: its security profile. */
export function securityProfileRoute(deps: {
  registry: RegistryDeps;
  redis: RedisConnection;
  publicOcppUrl: string;
}): Route {
  return defineRoute({
    method: "patch",
    path: "/api/v1/charge-points/{charge_point_id}",
    operationId: "changeSecurityProfile",
    summary: "Demand a higher security profile of a charge point",
    description:
      "1: password. 2: TLS and password. 3: TLS with a client certificate whose CN is the charge point's serial number and whose O is the organisation's name. Set up the charge point first and let it connect the new way, which the lower profile allows (to 3 only once it was seen with a certificate, or with force); from this request on the lower one is refused, and a charge point that is connected is disconnected.",
    tag: "Charge points",
    access: { kind: "organization", scope: "write:charge_points" },
    rateLimit: "write",
    params: z.strictObject({ charge_point_id: z.string().min(1).max(64) }),
    body: z.strictObject({
      security_profile: z.union([z.literal(1), z.literal(2), z.literal(3)]),
      allow_downgrade: z
        .boolean()
        .default(false)
        .describe("needed to go from 3 back to 2; below 2 there is no way back"),
      force: z
        .boolean()
        .default(false)
        .describe("needed to go to 3 before the charge point was seen with a certificate: it may not get in any more"),
    }),
    bodyExample: { security_profile: 2 },
    responses: { 200: { description: "The charge point", schema: chargePointWithDetail } },
    problems: ["charge_point_not_found", "conflict"],
    async handle({ caller, params: { charge_point_id: chargePointId }, body }) {
      const { orgId } = caller;
      const change = { to: body.security_profile, allowDowngrade: body.allow_downgrade, force: body.force };
      const changed = await changeProfile(deps.registry, { orgId, chargePointId }, change);
      const notFound = () => new ProblemError("charge_point_not_found", `There is no charge point ${chargePointId}.`);
      if (!changed.ok) {
        if (changed.error.kind === "not-found") throw notFound();
        if (changed.error.kind === "no-certificate")
          throw new ProblemError(
            "conflict",
            `${chargePointId} was not seen with a certificate yet: on profile 3 it might not get in.`,
            {
              remedy:
                "Give it a certificate (a SignCertificate of its own, or one that you install), let it connect to the mutual TLS listener once, and ask again; or say force, when you know that it has one.",
            },
          );
        const { from } = changed.error;
        throw new ProblemError(
          "conflict",
          `${chargePointId} is on security profile ${from}: it does not go down to ${change.to}.`,
          {
            remedy:
              from === 3 && change.to === 2
                ? "Say so with allow_downgrade."
                : "A lower profile is not accepted again once a charge point was on a higher one.",
          },
        );
      }
      const sql = sqlOn(deps.registry.pool);
      const [row] = await sql.query<ChargePointRow>(`${SELECT_CHARGE_POINTS} where s.id = $1`, [changed.value]);
      if (row === undefined) throw notFound();
      const connected = await connectedNow(deps.redis, [row.identity]);
      return { status: 200, body: await chargePointDetail(sql, row, connected, deps.publicOcppUrl) };
    },
  });
}
