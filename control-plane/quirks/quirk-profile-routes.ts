import type pg from "pg";
import { z } from "zod";
import { sqlOn } from "../database.ts";
import { pageAnswer, pageQuery } from "../http/fields.ts";
import { decodeCursor, pageOf, timeAndId } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { fanOutQuirks } from "./fan-out-quirks.ts";
import {
  affected,
  changeAnswer,
  given,
  match,
  matchOf,
  profileAnswer,
  view,
  withUsage,
} from "./quirk-profile-answer.ts";
import {
  changeProfile,
  createProfile,
  deleteProfile,
  findProfile,
  listProfiles,
  MAX_PROFILES,
  type ProfileRefusal,
} from "./quirk-profiles.ts";
import { quirkSettings } from "./quirk-settings.ts";
import { countStationsOf, usageOfProfile } from "./quirk-usage.ts";

const BODY = {
  name: "Vendor X before 2.0",
  match: { vendor: "Vendor X", firmware: "1.*" },
  settings: { over_long_strings: { mode: "report_only", max_length: 100 } },
};
const EXAMPLE = {
  quirk_profile_id: "quirk_01hxab1c2d3e",
  ...BODY,
  match: { vendor: "Vendor X", model: null, firmware: "1.*" },
  created_at: "2026-05-01T10:00:00Z",
  updated_at: "2026-05-01T10:00:00Z",
};
const BASE = "/api/v1/quirk-profiles";
const TAG = "Quirk profiles";
const params = z.strictObject({ quirk_profile_id: z.string().max(64) });

/** Stations that a request resolves by itself: with more the jobs go on where it stopped. */
const AT_ONCE = { pageSize: 500, maxPages: 1 };

/** What an organisation forgives stations of a vendor, a model, a firmware. */
export function quirkProfileRoutes({ pool }: { pool: pg.Pool }): Route[] {
  const sql = sqlOn(pool);
  /** The change is committed: what fails here is made up for by the jobs. */
  const spread = (orgId: string) => fanOutQuirks({ pool, ...AT_ONCE }, orgId).catch(() => 0);

  return [
    defineRoute({
      method: "post",
      path: BASE,
      operationId: "createQuirkProfile",
      summary: "Forgive stations of a vendor, model or firmware something",
      description:
        "Nothing is forgiven without a profile. Begin with `report_only`, look at the usage, then change to `accept`.",
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "write",
      idempotent: true,
      body: z.strictObject(given),
      bodyExample: BODY,
      responses: {
        201: {
          description: "The profile",
          schema: changeAnswer,
          headers: ["Location"],
          example: { ...EXAMPLE, affected_charge_points: 12 },
        },
      },
      problems: ["conflict"],
      async handle({ caller, body }) {
        const made = await createProfile(pool, caller.orgId, {
          name: body.name,
          settings: body.settings,
          ...matchOf(body.match),
        });
        if (!made.ok) throw problemOf(made.error);
        await spread(caller.orgId);
        const { profile, affected: affected_charge_points } = made.value;
        return {
          status: 201,
          headers: { location: `${BASE}/${profile.id}` },
          body: { ...view(profile), affected_charge_points },
        };
      },
    }),
    defineRoute({
      method: "get",
      path: BASE,
      operationId: "listQuirkProfiles",
      summary: "List the organisation's quirk profiles, oldest first",
      tag: TAG,
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: "A page of profiles",
          schema: z.object({ quirk_profiles: z.array(profileAnswer), ...pageAnswer }),
          example: { quirk_profiles: [EXAMPLE], next_cursor: null, has_more: false },
        },
      },
      async handle({ caller, query }) {
        const [createdAt, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor, 2, timeAndId);
        const after = createdAt === undefined || id === undefined ? undefined : { createdAt, id };
        const rows = await listProfiles(sql, caller.orgId, after, query.limit + 1);
        const { page, ...paging } = pageOf(rows, query.limit, (row) => [row.createdAtText, row.id]);
        return { status: 200, body: { quirk_profiles: page.map(view), ...paging } };
      },
    }),
    defineRoute({
      method: "get",
      path: `${BASE}/{quirk_profile_id}`,
      operationId: "getQuirkProfile",
      summary: "One quirk profile, and what was met at its charge points",
      tag: TAG,
      access: { kind: "organization", scope: "read:charge_points" },
      rateLimit: "read",
      params,
      responses: {
        200: {
          description: "The profile",
          schema: withUsage,
          example: {
            ...EXAMPLE,
            charge_points: 12,
            usage: [
              {
                quirk: "over_long_strings",
                mode: "report_only",
                count: 40,
                last_at: "2026-05-02T08:00:00.000Z",
                last_detail: "BootNotification /chargePointModel",
                charge_points: 3,
              },
            ],
          },
        },
      },
      problems: ["not_found"],
      async handle({ caller, params: { quirk_profile_id } }) {
        const profile = await findProfile(sql, caller.orgId, quirk_profile_id);
        if (profile === undefined) throw problemOf({ kind: "not-found" });
        const charge_points = await countStationsOf(sql, profile.id);
        return {
          status: 200,
          body: { ...view(profile), charge_points, usage: await usageOfProfile(sql, profile.id) },
        };
      },
    }),
    defineRoute({
      method: "patch",
      path: `${BASE}/{quirk_profile_id}`,
      operationId: "changeQuirkProfile",
      summary: "Change a quirk profile; what is not named stays, `match` and `settings` are replaced whole",
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "write",
      params,
      body: z.strictObject({
        name: given.name.optional(),
        match: match.optional(),
        settings: quirkSettings.optional(),
      }),
      bodyExample: { settings: { over_long_strings: { mode: "accept", max_length: 100 } } },
      responses: {
        200: {
          description: "The profile",
          schema: changeAnswer,
          example: { ...EXAMPLE, affected_charge_points: 12 },
        },
      },
      problems: ["not_found", "conflict"],
      async handle({ caller, params: { quirk_profile_id }, body }) {
        const changed = await changeProfile(pool, caller.orgId, quirk_profile_id, {
          name: body.name,
          settings: body.settings,
          match: body.match && matchOf(body.match),
        });
        if (!changed.ok) throw problemOf(changed.error);
        await spread(caller.orgId);
        const { profile, affected: affected_charge_points } = changed.value;
        return { status: 200, body: { ...view(profile), affected_charge_points } };
      },
    }),
    defineRoute({
      method: "delete",
      path: `${BASE}/{quirk_profile_id}`,
      operationId: "deleteQuirkProfile",
      summary: "Delete a quirk profile: its charge points come under the next that matches, or under none",
      tag: TAG,
      access: { kind: "organization", scope: "write:charge_points" },
      rateLimit: "write",
      params,
      responses: {
        200: {
          description: "Deleted",
          schema: z.object({ quirk_profile_id: z.string(), ...affected }),
          example: { quirk_profile_id: EXAMPLE.quirk_profile_id, affected_charge_points: 12 },
        },
      },
      problems: ["not_found"],
      async handle({ caller, params: { quirk_profile_id } }) {
        const deleted = await deleteProfile(pool, caller.orgId, quirk_profile_id);
        if (!deleted.ok) throw problemOf(deleted.error);
        await spread(caller.orgId);
        return { status: 200, body: { quirk_profile_id, affected_charge_points: deleted.value.affected } };
      },
    }),
  ];
}

function problemOf(refusal: ProfileRefusal): ProblemError {
  switch (refusal.kind) {
    case "not-found":
      return new ProblemError("not_found", "There is no such quirk profile.");
    case "same-match":
      return new ProblemError("conflict", "Another profile has the same vendor, model and firmware.", {
        remedy: "Change that profile, or name more than it does.",
      });
    case "too-many":
      return new ProblemError("conflict", `There are ${MAX_PROFILES} quirk profiles already.`, {
        remedy: "Delete those that no charge point is under (`charge_points` of each tells), or use patterns.",
      });
  }
}
