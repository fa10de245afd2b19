import { z } from "zod";
import { isoTime, oneLine } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import type { QuirkMatch, QuirkProfile } from "./quirk-profiles.ts";
import { quirkSettings } from "./quirk-settings.ts";
import { profileUsage } from "./quirk-usage.ts";

/** A `*` costs time at each boot that a pattern is held against. */
const pattern = oneLine(100).refine((text) => text.split("*").length <= 4, {
  error: "at most three `*`",
  params: { code: "wrong_format" },
});
export const match = z
  .strictObject({ vendor: pattern.optional(), model: pattern.optional(), firmware: pattern.optional() })
  .describe(
    "what a charge point says of itself when it boots; `*` stands for any characters, upper and lower case are one, what is not named may be anything. Of the profiles that match, the one that names most fields counts, then the one with more of them exact, then with more literal characters, then the older.",
  );
export const given = { name: oneLine(100), match, settings: quirkSettings };
const shown = {
  quirk_profile_id: z.string(),
  name: z.string(),
  match: z.object({
    vendor: z.string().nullable(),
    model: z.string().nullable(),
    firmware: z.string().nullable(),
  }),
  settings: quirkSettings,
  created_at: isoTime(),
  updated_at: isoTime(),
};
export const profileAnswer = named("QuirkProfile", z.object(shown));
export const affected = {
  affected_charge_points: z
    .number()
    .int()
    .describe(
      "whose settings change by this; each is in force within seconds, of a large fleet within minutes, without a reconnect",
    ),
};
export const changeAnswer = named("ChangedQuirkProfile", z.object({ ...shown, ...affected }));
export const withUsage = named(
  "QuirkProfileWithUsage",
  z.object({
    ...shown,
    charge_points: z.number().int().describe("that it is in force for now"),
    usage: profileUsage.describe("what was met at those charge points"),
  }),
);

/** A pattern of stars alone is no pattern: it would count as a field that is named. */
const patternOf = (text: string | undefined) => {
  const trimmed = text?.trim();
  return trimmed === undefined || /^\**$/.test(trimmed) ? null : trimmed;
};

/** As it is kept. */
export const matchOf = (from: z.output<typeof match>): QuirkMatch => ({
  vendor: patternOf(from.vendor),
  model: patternOf(from.model),
  firmware: patternOf(from.firmware),
});

/** As everybody sees it. */
export const view = (profile: QuirkProfile) => ({
  quirk_profile_id: profile.id,
  name: profile.name,
  match: { vendor: profile.vendor, model: profile.model, firmware: profile.firmware },
  settings: profile.settings,
  created_at: isoSeconds(profile.createdAt),
  updated_at: isoSeconds(profile.updatedAt),
});
