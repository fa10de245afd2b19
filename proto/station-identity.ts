import { err, ok, type Result } from "./result.ts";

/**
 * The id in a station's connection URL (OCPP-J 1.6 §3.1.1 "charge point identity"), case-folded: `cs001` and `CS001`
 * are one station (2.1 Part 4 §3.1.1). Only `parseStationIdentity` makes one.
 */
export type StationIdentity = string & { readonly __brand: "StationIdentity" };

/** 2.x limits identities to 48 characters; 1.6 names no limit, and longer ones were never seen. */
const MAX_LENGTH = 48;

export interface ParsedIdentity {
  /** The key under which everything about the station is found. */
  identity: StationIdentity;
  /** As the station spelled it, for display. */
  spelling: string;
}

/**
 * Checks an already percent-decoded identity. Refused, with the reason in words: empty, over 48 characters, `.` and
 * `..`, a slash, a colon (it separates user and password in Basic auth), control characters, lone surrogates.
 */
export function parseStationIdentity(text: string): Result<ParsedIdentity, string> {
  if (text === "") return err("the identity is empty");
  if (text.length > MAX_LENGTH) return err(`the identity is longer than ${MAX_LENGTH} characters`);
  if (text === "." || text === "..") return err("the identity may not be a relative path");
  if (/[/\\:]/.test(text)) return err("the identity may not contain a slash, a backslash or a colon");
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text) || !text.isWellFormed())
    return err("the identity contains characters that cannot be shown");
  return ok({ identity: text.toLowerCase() as StationIdentity, spelling: text });
}
