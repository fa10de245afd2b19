import { isUtf8 } from "node:buffer";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";

export interface BasicCredentials {
  username: Buffer;
  /** Never decoded: 1.6 sends the bytes of a hex key, which may be no text at all (J16 §6.2.2). */
  password: Buffer;
}

/** Reads an Authorization header. Undefined: none, another scheme, not base64, or without the separating colon. */
export function parseBasicAuth(header: string): BasicCredentials | undefined {
  const encoded = /^basic +([a-z0-9+/]+={0,2})$/i.exec(header.trim())?.[1];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  // The first colon: identities hold none, passwords may.
  const colon = bytes.indexOf(0x3a);
  if (colon < 0) return undefined;
  return { username: bytes.subarray(0, colon), password: bytes.subarray(colon + 1) };
}

/** The Basic username must be the URL's identity (2.0.1 A00.FR.204, test case TC_A_02), compared case-folded as everywhere. */
export function isUserOf(username: Buffer, identity: StationIdentity): boolean {
  return isUtf8(username) && username.toString("utf8").toLowerCase() === identity;
}
