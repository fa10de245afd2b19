import pg from "pg";

/**
 * What a fault while storing what stations sent means:
 * - retry: two transactions met; the same again in a moment
 * - frame: something in the frames cannot be stored, now or ever
 * - outage: Postgres is away, full, stopping, read-only, or its schema is not the one of this build; nothing is wrong with the frames
 */
export type FaultKind = "retry" | "frame" | "outage";

/** serialization_failure, deadlock_detected, lock_not_available. */
const RETRY = new Set(["40001", "40P01", "55P03"]);

/**
 * SQLSTATE classes that are about the data: cardinality violation, data exception, integrity constraint violation, check
 * option violation, program limit exceeded. A list of what blames a frame, not of what does not: a fault that nobody
 * foresaw must hold the lane up, not empty it into the dead letters.
 */
const DATA_CLASSES = new Set(["21", "22", "23", "44", "54"]);

/** Judges a thrown value by what it is, never by its text. */
export function faultKindOf(fault: unknown): FaultKind {
  if (fault instanceof pg.DatabaseError) {
    const code = fault.code ?? "";
    if (RETRY.has(code)) return "retry";
    return DATA_CLASSES.has(code.slice(0, 2)) ? "frame" : "outage";
  }
  // Our own code stumbled over what the frame holds.
  if (fault instanceof TypeError || fault instanceof RangeError || fault instanceof SyntaxError) return "frame";
  return "outage";
}

/** For dead letters and logs: what went wrong, without the values (they may be tokens). */
export function describeFault(fault: unknown): string {
  if (fault instanceof pg.DatabaseError)
    return [`SQLSTATE ${fault.code ?? "unknown"}`, fault.table, fault.constraint, fault.column]
      .filter(Boolean)
      .join(" ");
  // JSON.parse's message quotes the text.
  if (fault instanceof SyntaxError) return fault.name;
  return fault instanceof Error ? `${fault.name}: ${fault.message}` : "unknown fault";
}
