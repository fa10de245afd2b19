import { createHash, randomBytes } from "node:crypto";

/** A secret for a link in a mail, 256 bit. Only its hash is stored. */
export const newLinkToken = (): string => randomBytes(32).toString("base64url");

export const hashLinkToken = (token: string): Buffer => createHash("sha256").update(token).digest();

/** Names an access token; no secret. */
export const newTokenId = (): string => randomBytes(16).toString("base64url");
