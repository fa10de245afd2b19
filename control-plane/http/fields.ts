import { z } from "zod";
import { MAX_EMAIL_LENGTH, readEmailAddress } from "./email-address.ts";

// Texts end up in mails, certificates and Postgres: control characters, line separators and lone surrogates have no
// business in them. The patterns are written for the `u` flag, which JSON Schema asks of validators.
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const ONE_LINE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]*$/u;
// oxlint-disable-next-line no-control-regex -- as above, but lines and tabs are welcome
const LINES = /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ud800-\udfff]*$/u;
/** Something that can be seen: neither spaces nor zero-width characters alone. */
const NOT_BLANK = /[^\s\p{Cf}\p{Z}]/u;

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

/** One bare e-mail address; what the handler gets has its domain in ASCII, ready for mails. */
export const emailAddress = () =>
  z
    .string()
    .max(MAX_EMAIL_LENGTH)
    .describe("one e-mail address: ASCII before the @, a domain in any script behind it")
    .transform((text, context) => {
      const read = readEmailAddress(text);
      if (read.ok) return read.value;
      context.issues.push({ code: "custom", input: text, message: read.error, params: { code: "wrong_format" } });
      return z.NEVER;
    });

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

/** Times in requests. Years have four digits, and the calendar of Postgres has no year 0. */
export const givenTime = () =>
  z.iso
    .datetime()
    .refine((time) => !time.startsWith("0000"), {
      error: "must lie in the years 0001 to 9999",
      params: { code: "out_of_range" },
    })
    .describe("ISO 8601, UTC, such as 2026-05-01T10:23:00Z");
