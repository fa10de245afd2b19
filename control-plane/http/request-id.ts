import { randomBytes } from "node:crypto";

/** The caller's own id where it is harmless (1 to 128 letters, digits, `.`, `_`, `-`) in logs and headers, else a new one. */
export function requestIdOf(offered: string | undefined): string {
  return offered !== undefined && /^[\w.-]{1,128}$/.test(offered) ? offered : `req_${randomBytes(12).toString("hex")}`;
}
