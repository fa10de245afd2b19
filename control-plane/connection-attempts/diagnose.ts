import type { ConnectionAttempt } from "@dynamo-csms/proto/connection-attempt";
import type { Registration } from "@dynamo-csms/proto/station-record";
import { type DiagnosisCode, detailOf, remedyFor, seenOf, type UnitSettings } from "./remedies.ts";
import type { Similarity } from "./similar-attempts.ts";

/** All that is known of a unit's connection. */
export interface ConnectionEvidence {
  now: Date;
  unit: UnitSettings;
  /** Whether a live gateway holds its socket; undefined: Redis cannot be asked, and `attempts` and `similar` are empty. */
  online: boolean | undefined;
  /** Newest first. */
  attempts: readonly ConnectionAttempt[];
  similar: readonly { attempt: ConnectionAttempt; similarity: Similarity }[];
  /** The newest connection on record. */
  last:
    | { openedAt: Date; closedAt: Date | null; closeCode: number | null; closeReason: string | null; notes: string[] }
    | undefined;
  registration: Registration;
  bootedAt: Date | undefined;
  /** The newest BootNotification of the last hour that was answered with a CALLERROR. */
  refusedBoot: { at: Date; code: string; description: string } | undefined;
}

/** The best explanation of how things stand. */
export interface Diagnosis {
  code: DiagnosisCode;
  detail: string;
  remedy: string | null;
}

/** More new connections than this within FLAPPING_MS: it does not stay. */
const FLAPPING_CONNECTS = 5;
const FLAPPING_MS = 10 * 60_000;
/** A station boots at once, or after it has set itself up. */
const BOOT_WITHIN_MS = 60_000;
/** Word of these comes with the end of a connection, and explains it. */
const ENDS = new Set(["superseded", "frame_too_large", "serial_number_mismatch"]);

/** Finds it. No I/O. */
export function diagnose(evidence: ConnectionEvidence): Diagnosis {
  return (evidence.online === true ? whileOnline(evidence) : undefined) ?? whileOffline(evidence);
}

const found = (unit: UnitSettings, code: DiagnosisCode, more = ""): Diagnosis => ({
  code,
  detail: `${detailOf(code)}${more === "" ? "" : ` ${more}`}`,
  remedy: remedyFor(code, unit),
});

function whileOnline(evidence: ConnectionEvidence): Diagnosis {
  const { unit, last, refusedBoot, bootedAt, registration } = evidence;
  if (registration === "rejected") return found(unit, "boot_rejected");
  const flapping = isFlapping(evidence);
  if (flapping !== undefined) return flapping;
  if (refusedBoot !== undefined && refusedBoot.at > (bootedAt ?? new Date(0)))
    return found(unit, "schema_invalid", refusedBy(refusedBoot));
  if (bootedAt === undefined && registration === "unknown") {
    const openForMs = last === undefined ? 0 : evidence.now.getTime() - last.openedAt.getTime();
    if (openForMs >= BOOT_WITHIN_MS)
      return found(unit, "connected_no_boot", `It is open for ${Math.floor(openForMs / 1_000)} s.`);
    return found(unit, "connected", "Its BootNotification is waited for.");
  }
  if (last?.notes.includes("repeated-identity") === true) return found(unit, "identity_duplicated_in_path");
  return found(unit, "connected");
}

function whileOffline(evidence: ConnectionEvidence): Diagnosis {
  const { unit, attempts, similar, last, refusedBoot } = evidence;
  const flapping = isFlapping(evidence);
  if (flapping !== undefined) return flapping;
  const [newest] = attempts;
  const [like] = similar;
  const lastMs = last === undefined ? 0 : (last.closedAt ?? last.openedAt).getTime();
  if (like !== undefined && like.attempt.atMs > Math.max(newest?.atMs ?? 0, lastMs))
    return found(
      unit,
      like.attempt.outcome === "malformed_identity" ? "malformed_identity" : "unknown_identity",
      `It uses the path ${like.attempt.path}; expected is the id ${unit.identity}.`,
    );
  if (newest === undefined && last === undefined)
    return found(
      unit,
      "never_seen",
      evidence.online === undefined ? "Its attempts to connect cannot be looked up now." : "",
    );
  const explains =
    newest !== undefined &&
    newest.outcome !== "connected" &&
    newest.atMs >= (last === undefined ? 0 : ENDS.has(newest.outcome) ? last.openedAt.getTime() : lastMs);
  if (newest !== undefined && explains) return found(unit, newest.outcome, oftenAs(attempts));
  if (last === undefined) return found(unit, "disconnected");
  if (last.closeCode === 1009 || /too big/i.test(last.closeReason ?? "")) return found(unit, "frame_too_large");
  if (refusedBoot !== undefined && refusedBoot.at >= last.openedAt)
    return found(unit, "schema_invalid", refusedBy(refusedBoot));
  if (last.closedAt === null) return found(unit, "disconnected");
  const code = last.closeCode === null ? "" : ` (WebSocket close code ${last.closeCode})`;
  return found(unit, "disconnected", `It left at ${last.closedAt.toISOString()}${code}.`);
}

function isFlapping({ unit, now, attempts }: ConnectionEvidence): Diagnosis | undefined {
  const recent = attempts.filter((attempt) => attempt.atMs > now.getTime() - FLAPPING_MS);
  const superseded = recent.filter((attempt) => attempt.outcome === "superseded").length;
  if (superseded >= 2) return found(unit, "superseded", `${superseded} times in the last 10 minutes.`);
  const connects = recent.filter((attempt) => attempt.outcome === "connected").length;
  if (connects > FLAPPING_CONNECTS || recent[0]?.outcome === "flapping")
    return found(unit, "flapping", connects > 1 ? `${connects} connections in the last 10 minutes.` : "");
  return undefined;
}

/** How often the newest outcome has been the outcome (connections that stood in between not told apart), and what the gateway saw. */
function oftenAs(attempts: readonly ConnectionAttempt[]): string {
  const [newest] = attempts;
  if (newest === undefined) return "";
  const other = attempts.findIndex((attempt) => attempt.outcome !== newest.outcome);
  const times = attempts
    .slice(0, other === -1 ? attempts.length : other)
    .reduce((sum, attempt) => sum + (attempt.times ?? 1), 0);
  const seen = `Last at ${new Date(newest.atMs).toISOString()}${times > 1 ? `, ${times} times` : ""}.`;
  const offered = newest.outcome === "subprotocol_mismatch" || newest.outcome === "wrong_version";
  return [
    seen,
    ...(offered && newest.subprotocols !== "" ? [`It offers ${newest.subprotocols}.`] : []),
    ...seenOf(newest, times),
  ].join(" ");
}

const refusedBy = ({ code, description }: { code: string; description: string }): string =>
  `Its BootNotification was answered with ${code}${description === "" ? "" : `: ${description}`}.`;
