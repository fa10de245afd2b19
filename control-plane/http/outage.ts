import { Overloaded } from "../overloaded.ts";

/** Codes of Node and Postgres that mean "the server is away or going away", not "the statement is wrong". */
const AWAY = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EPIPE",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "57P01",
  "57P02",
  "57P03",
  "25006",
  "55P03",
  "57014",
]);
/** Classes of SQLSTATE: connection, transactions that met, no room (disk, memory, connections), the system below. */
const AWAY_CLASSES = new Set(["08", "40", "53", "58"]);
const AWAY_MESSAGES =
  /timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error|Connection is closed|Stream isn't writeable|Command timed out|Reached the max retries per request|Failed to refresh slots cache|CLUSTERDOWN|^(OOM|LOADING|READONLY|MISCONF) /;

/** True when trying again later makes sense: Postgres or Redis cannot be reached or cannot work now, or a queue of ours is full. */
export function isOutage(fault: unknown): boolean {
  for (let at: unknown = fault, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof Overloaded) return true;
    const code = (at as { code?: unknown }).code;
    if (typeof code === "string" && (AWAY.has(code) || (code.length === 5 && AWAY_CLASSES.has(code.slice(0, 2)))))
      return true;
    if (AWAY_MESSAGES.test(at.message)) return true;
    if (at instanceof AggregateError && at.errors.some(isOutage)) return true;
  }
  return false;
}
