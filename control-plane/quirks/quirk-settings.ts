import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { QUIRK_NAMES, type QuirkName, type QuirkSettings } from "@dynamo-csms/proto/quirks";
import { z } from "zod";
import { named } from "../http/json-schema.ts";

const mode = z
  .enum(["report_only", "accept"])
  .describe("report_only: still refused, and counted, so that one sees what `accept` would change; accept: forgiven");

/** One schema per quirk of proto/quirks.ts: one that is missing does not compile. */
const SETTINGS = {
  missing_subprotocol: z
    .strictObject({ mode, assume: z.enum(OCPP_VERSIONS).describe("taken for this version; none is echoed") })
    .describe("connects without Sec-WebSocket-Protocol"),
  credential_encoding: z
    .strictObject({ mode })
    .describe("sends its password as hex text where its bytes are on file, or the other way round"),
  over_long_strings: z
    .strictObject({ mode, max_length: z.int().min(1).max(10_000).describe("characters") })
    .describe("strings longer than their schema allows"),
  odd_timestamps: z
    .strictObject({ mode })
    .describe("timestamps without zone (taken for UTC), with a blank for the T, or empty"),
  unknown_fields: z.strictObject({ mode }).describe("fields that the schema does not know"),
  ping_interval: z
    .strictObject({
      mode,
      // Three times it is the longest silence, which the WebSocket library can wait for up to 16 minutes.
      seconds: z.int().min(0).max(300).describe("between our WebSocket pings; 0: none"),
    })
    .describe("our pings to the station"),
} satisfies { [Q in QuirkName]: z.ZodType<NonNullable<QuirkSettings[Q]>> };

/** What a profile forgives; what it does not name stays as strict as it is without. */
export const quirkSettings = named(
  "QuirkSettings",
  z.strictObject({
    missing_subprotocol: SETTINGS.missing_subprotocol.optional(),
    credential_encoding: SETTINGS.credential_encoding.optional(),
    over_long_strings: SETTINGS.over_long_strings.optional(),
    odd_timestamps: SETTINGS.odd_timestamps.optional(),
    unknown_fields: SETTINGS.unknown_fields.optional(),
    ping_interval: SETTINGS.ping_interval.optional(),
  }),
);

/** What one station has instead of its profile: null switches a quirk off for it. */
export const quirkOverrides = named(
  "QuirkOverrides",
  z.strictObject({
    missing_subprotocol: SETTINGS.missing_subprotocol.nullable().optional(),
    credential_encoding: SETTINGS.credential_encoding.nullable().optional(),
    over_long_strings: SETTINGS.over_long_strings.nullable().optional(),
    odd_timestamps: SETTINGS.odd_timestamps.nullable().optional(),
    unknown_fields: SETTINGS.unknown_fields.nullable().optional(),
    ping_interval: SETTINGS.ping_interval.nullable().optional(),
  }),
);

/** As a request has them. */
export type GivenQuirks = z.output<typeof quirkSettings>;
export type QuirkOverrides = z.output<typeof quirkOverrides>;

/** Lane events of a newer gateway may name what this build does not know. */
export const isQuirkName = (name: string): name is QuirkName => (QUIRK_NAMES as readonly string[]).includes(name);
