import { z } from "zod";
import { type Sql, sqlOn } from "../database.ts";
import { isoTime, lines, pageAnswer, pageQuery } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import type { RegistryDeps } from "../stations/station-registry.ts";
import {
  certificate,
  certificateRequest,
  installedCertificate,
  listCertificates,
  listInstalledCertificates,
  listRequests,
} from "./station-certificate-view.ts";
import { revokeCertificate } from "./revoke-certificate.ts";

const TAG = "Certificates";
const chargePointId = z.string().min(1).max(64);
const params = z.strictObject({ charge_point_id: chargePointId });

/** The client certificates of charge points, their requests, and what is installed in them. */
export function stationCertificateRoutes(registry: RegistryDeps): Route[] {
  const sql = sqlOn(registry.pool);
  const reading = { access: { kind: "organization", scope: "read:charge_points" }, rateLimit: "read" } as const;
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/certificates",
      operationId: "listCertificates",
      summary: "Certificates that were issued for a charge point, newest first",
      description:
        "Each is accepted until it expires or is revoked, also when a newer one was issued: the charge point changes to the new one when it connects anew.",
      tag: TAG,
      ...reading,
      params,
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "A page of certificates",
          schema: z.object({ certificates: z.array(certificate), ...pageAnswer }),
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params: { charge_point_id: id }, query }) {
        const station = await stationOf(sql, caller.orgId, id);
        const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await listCertificates(sql, station, query.limit, after);
        const { page, ...paging } = pageOf(rows, query.limit, (row) => row.keys);
        return { status: 200, body: { certificates: page.map((row) => row.view), ...paging } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/certificate-requests",
      operationId: "listCertificateRequests",
      summary: "What a charge point asked to be signed, newest first, and why not",
      tag: TAG,
      ...reading,
      params,
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "A page of requests",
          schema: z.object({ certificate_requests: z.array(certificateRequest), ...pageAnswer }),
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params: { charge_point_id: id }, query }) {
        const station = await stationOf(sql, caller.orgId, id);
        const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, 2, timeAndId);
        const rows = await listRequests(sql, station, query.limit, after);
        const { page, ...paging } = pageOf(rows, query.limit, (row) => row.keys);
        return { status: 200, body: { certificate_requests: page.map((row) => row.view), ...paging } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/charge-points/{charge_point_id}/installed-certificates",
      operationId: "listInstalledCertificates",
      summary: "The certificates that a charge point says it has installed",
      description:
        "As it last answered GetInstalledCertificateIds; it is asked after each InstallCertificate that it accepts. Send the command to ask anew.",
      tag: TAG,
      ...reading,
      params,
      responses: {
        200: {
          description: "All of them",
          schema: named(
            "InstalledCertificates",
            z.object({
              installed_certificates: z.array(installedCertificate),
              asked: z
                .array(z.object({ certificate_type: z.string(), reported_at: isoTime() }))
                .describe("when it told of each type"),
            }),
          ),
        },
      },
      problems: ["charge_point_not_found"],
      async handle({ caller, params: { charge_point_id: id } }) {
        const station = await stationOf(sql, caller.orgId, id);
        const asked = await sql.query<{ certificate_type: string; reported_at: Date }>(
          `select certificate_type, reported_at from installed_certificate_reports where station_id = $1 order by certificate_type`,
          [station],
        );
        return {
          status: 200,
          body: {
            installed_certificates: await listInstalledCertificates(sql, station),
            asked: asked.map((row) => ({ ...row, reported_at: isoMillis(row.reported_at) })),
          },
        };
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/charge-points/{charge_point_id}/certificates/{certificate_id}/revoke",
      operationId: "revokeCertificate",
      summary: "Refuse a certificate from now on",
      description:
        "The gateways refuse it, and whoever is connected is disconnected. A certificate authority with lists of its own is told.",
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "write",
      idempotent: true,
      params: z.strictObject({ charge_point_id: chargePointId, certificate_id: z.string().min(1).max(64) }),
      body: z.strictObject({ reason: lines(500).optional() }),
      bodyExample: { reason: "The unit was stolen" },
      responses: { 200: { description: "Revoked", schema: certificate } },
      problems: ["charge_point_not_found", "not_found"],
      async handle({ caller, params: { charge_point_id: id, certificate_id: certificateId }, body }) {
        const station = await stationOf(sql, caller.orgId, id);
        const by = { orgId: caller.orgId, chargePointId: id, certificateId, reason: body.reason };
        const revoked = await revokeCertificate(registry, by);
        const [row] = revoked.ok ? await listCertificates(sql, station, 1, undefined, certificateId) : [];
        if (row === undefined) throw new ProblemError("not_found", `${id} has no certificate ${certificateId}.`);
        return { status: 200, body: row.view };
      },
    }),
  ];
}

async function stationOf(sql: Sql, orgId: string, id: string): Promise<string> {
  const [row] = await sql.query<{ id: string }>(
    `select id::text as id from stations where charge_point_id = $1 and org_id = $2 and retired_at is null`,
    [id, orgId],
  );
  if (row === undefined) throw new ProblemError("charge_point_not_found", `There is no charge point ${id}.`);
  return row.id;
}
