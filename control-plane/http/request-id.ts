import { randomBytes } from "node:crypto";

/** The caller's own id where it is harmless in logs and headers, else a new one. */
export function requestIdOf(offered: string | undefined): string {
  return offered !== undefined && /^[\w.:-]{8,128}$/.test(offered) ? offered : `req_${randomBytes(12).toString("hex")}`;
}
