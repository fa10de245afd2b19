import { z } from "zod";

// Texts end up in mails, certificates and Postgres: control characters, line separators and lone surrogates have no
// business in them. The patterns are written for the `u` flag, which JSON Schema asks of validators.
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const ONE_LINE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]*$/u;
// oxlint-disable-next-line no-control-regex -- as above, but lines and tabs are welcome
const LINES = /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ud800-\udfff]*$/u;
const NOT_BLANK = /\S/u;

/** A name or address: one line, not blank, in any script. */
export const oneLine = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .regex(ONE_LINE)
    .regex(NOT_BLANK)
    .describe(`one line of text, at most ${maxLength} characters`);

/** Notes: lines of text, possibly none. */
export const lines = (maxLength: number) =>
  z.string().max(maxLength).regex(LINES).describe(`text, at most ${maxLength} characters`);

/** One bare e-mail address. RFC 5321 allows 254 characters. */
export const emailAddress = () => z.email().max(254);

/** What the cursor pages of every list share; the answer carries `next_cursor` and `has_more` beside the list. */
export const pageQuery = {
  limit: z.number().int().min(1).max(200).default(50).describe("entries per page"),
  cursor: z.string().min(1).max(500).optional().describe("`next_cursor` of the page before"),
};

export const pageAnswer = {
  next_cursor: z.string().nullable().describe("give it as `cursor` for the next page; null: this was the last"),
  has_more: z.boolean(),
};

/** Times in answers. */
export const isoTime = () => z.iso.datetime().describe("ISO 8601, UTC");
