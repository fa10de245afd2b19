import { z } from "zod";
import { givenTime, isoTime, lines, oneLine } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { DEFAULT_MAX_ACTIVE_TRANSACTIONS, type IdToken, type IdTokenEntry, TOKEN_STATUSES } from "./id-tokens.ts";

/** The longest idToken there is (OCPP 2.1); 1.6 has 20 characters, 2.0.1 36. */
const MAX_TOKEN = 255;
/** IdTokenEnumType of 2.0.1; 2.1 allows others, which are as good as none here. */
const TOKEN_TYPES = [
  "Central",
  "DirectPayment",
  "eMAID",
  "EVCCID",
  "ISO14443",
  "ISO15693",
  "KeyCode",
  "Local",
  "MacAddress",
  "VIN",
] as const;

export const tokenStatus = z.enum(TOKEN_STATUSES);

const trimmed = (max: number) => oneLine(max).transform((text) => text.trim());
const limit = z.int().min(1).max(1_000).nullable();

const settings = {
  type: z.enum(TOKEN_TYPES).nullable().describe("what kind of token it is, for OCPP 2.x local lists"),
  status: tokenStatus.describe("what stations are told when it is held to them"),
  expires_at: givenTime().nullable().describe("accepted only until then"),
  group_id_token: trimmed(36)
    .nullable()
    .describe("tokens of one group may stop each other's sessions; stations are told it in this spelling"),
  max_active_transactions: limit.describe(
    "sessions that may run at once; one more is told ConcurrentTx. null: any number",
  ),
  note: lines(500).nullable(),
};

/** A whole token: what is left out has its default. */
export const idTokenEntry = z.strictObject({
  id_token: trimmed(MAX_TOKEN).describe(
    "idTag of OCPP 1.6, idToken of 2.x; upper and lower case are the same token (C16 CiString, P2 IdTokenType); stations are told it in this spelling",
  ),
  type: settings.type.default(null),
  status: settings.status.default("Accepted"),
  expires_at: settings.expires_at.default(null),
  group_id_token: settings.group_id_token.default(null),
  max_active_transactions: settings.max_active_transactions.default(DEFAULT_MAX_ACTIVE_TRANSACTIONS),
  note: settings.note.default(null),
});

/** A change: what is left out stays. */
export const idTokenChange = z.strictObject({
  type: settings.type.optional(),
  status: settings.status.optional(),
  expires_at: settings.expires_at.optional(),
  group_id_token: settings.group_id_token.optional(),
  max_active_transactions: settings.max_active_transactions.optional(),
  note: settings.note.optional(),
});

export const idToken = named(
  "IdToken",
  z.object({
    token_id: z.string(),
    id_token: z.string().describe("as it was entered last"),
    type: z.enum(TOKEN_TYPES).nullable(),
    status: tokenStatus,
    expires_at: isoTime().nullable(),
    group_id_token: z.string().nullable(),
    max_active_transactions: limit,
    note: z.string().nullable(),
    created_at: isoTime(),
    changed_at: isoTime(),
  }),
);

export const ID_TOKEN_EXAMPLE = {
  token_id: "tok_01hxab1c2d3e4f5g",
  id_token: "04A2B3C4D5E680",
  type: "ISO14443",
  status: "Accepted",
  expires_at: null,
  group_id_token: "fleet-7",
  max_active_transactions: 1,
  note: "Van 12",
  created_at: "2026-05-01T10:23:00Z",
  changed_at: "2026-05-01T10:23:00Z",
} as const satisfies z.input<typeof idToken>;

/** What a body says, as it is stored. */
export function entryOf(body: z.output<typeof idTokenEntry>): IdTokenEntry {
  return {
    token: body.id_token,
    type: body.type,
    status: body.status,
    expiresAt: body.expires_at === null ? null : new Date(body.expires_at),
    groupToken: body.group_id_token,
    maxActiveTransactions: body.max_active_transactions,
    note: body.note,
  };
}

export const idTokenView = (token: IdToken) => ({
  token_id: token.id,
  id_token: token.token,
  type: token.type,
  status: token.status,
  expires_at: token.expiresAt && isoSeconds(token.expiresAt),
  group_id_token: token.groupToken,
  max_active_transactions: token.maxActiveTransactions,
  note: token.note,
  created_at: isoSeconds(token.createdAt),
  changed_at: isoSeconds(token.changedAt),
});
