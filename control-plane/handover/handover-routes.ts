import { z } from "zod";
import { emailAddress, isoTime, lines, oneLine } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import type { UnitFact } from "./certificate-facts.ts";
import { certificateRoutes } from "./certificate-routes.ts";
import { completeHandover, type HandoverDeps, type HandoverRefused } from "./complete-handover.ts";

/** Handing a project over, and its certificate. */
export function handoverRoutes(deps: HandoverDeps): Route[] {
  return [
    defineRoute({
      method: "post",
      path: "/api/v1/installer/projects/{project_id}/complete-handover",
      operationId: "completeHandover",
      summary: "Hand the project over to the site owner",
      description:
        "Possible when every charge point of the project is commissioned. From then on installers cannot change the project. The operator's contact, the site owner and the site contact get a mail with the signed certificate.",
      tag: "Installer",
      access: { kind: "installer" },
      rateLimit: "write",
      idempotent: true,
      params: z.strictObject({ project_id: z.string() }),
      body: z.strictObject({
        signed_by: oneLine(200),
        handover_notes: lines(5_000).default(""),
        site_contact_name: oneLine(200),
        site_contact_email: emailAddress(),
      }),
      bodyExample: {
        signed_by: "Alex Technician",
        handover_notes: "All 6 bays commissioned. Bay 3 connector 2 required firmware update — completed on site.",
        site_contact_name: "Sarah Owen",
        site_contact_email: "s.owen@riversidebp.co.uk",
      },
      responses: {
        200: {
          description: "Handed over. The certificate's URL opens it for whoever has it.",
          schema: z.object({
            project_id: z.string(),
            status: z.literal("handed_over"),
            handover_certificate_url: z.string(),
            handed_over_at: isoTime(),
            warnings: z
              .array(z.string())
              .optional()
              .describe("what does not fit the plan, such as fewer charge points than expected"),
          }),
          example: {
            project_id: "proj_01hx5t6u7v8w",
            status: "handed_over",
            handover_certificate_url: "https://api.dynamo-csms.com/certificates/proj_01hx5t6u7v8w.pdf",
            handed_over_at: "2026-05-01T14:45:00Z",
          },
        },
      },
      problems: ["project_not_found", "project_handed_over", "handover_blocked"],
      async handle({ caller, params, body }) {
        const outcome = await completeHandover(deps, {
          projectId: params.project_id,
          installerId: caller.installerId,
          signedBy: body.signed_by,
          handoverNotes: body.handover_notes,
          siteContactName: body.site_contact_name,
          siteContactEmail: body.site_contact_email,
        });
        if (!outcome.ok) throw refusal(outcome.error);
        const { certificateUrl, handedOverAt, warnings } = outcome.value;
        return {
          status: 200,
          body: {
            project_id: params.project_id,
            status: "handed_over",
            handover_certificate_url: certificateUrl,
            handed_over_at: isoSeconds(handedOverAt),
            ...(warnings.length === 0 ? {} : { warnings }),
          },
        };
      },
    }),
    ...certificateRoutes(deps),
  ];
}

function refusal(refused: HandoverRefused): ProblemError {
  switch (refused.kind) {
    case "no_such_project":
      return new ProblemError("project_not_found", "None of your projects has this id.");
    case "handed_over":
      return new ProblemError("project_handed_over", "The project was handed over before.");
    case "no_charge_points":
      return new ProblemError("handover_blocked", "The project has no charge points.", {
        remedy: "Register and commission the charge points of the site first.",
        members: { charge_points: [] },
      });
    case "blocked": {
      const named = refused.units
        .slice(0, 5)
        .map((unit) => `${unit.chargePointId} (${unit.serialNumber}): ${unit.commissioningStatus ?? "not_started"}`);
      const more = refused.units.length > named.length ? `, and ${refused.units.length - named.length} more` : "";
      return new ProblemError("handover_blocked", `Not commissioned: ${named.join(", ")}${more}.`, {
        members: { charge_points: refused.units.map(inTheWay) },
      });
    }
  }
}

/** A unit that is not commissioned, with the checks that still stand between it and the handover. */
const inTheWay = (unit: UnitFact) => ({
  charge_point_id: unit.chargePointId,
  serial_number: unit.serialNumber,
  commissioning_status: unit.commissioningStatus ?? "not_started",
  failing_checks: unit.checks
    .filter((check) => check.status !== "passed" && check.status !== "skipped")
    .map((check) => ({
      name: check.name,
      status: check.status,
      ...(check.detail === null ? {} : { cause: check.detail }),
    })),
});
