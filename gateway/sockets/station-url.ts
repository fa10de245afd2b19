import { isOcppVersion, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { parseStationIdentity, type ParsedIdentity } from "@dynamo-csms/proto/station-identity";

export interface StationUrl extends ParsedIdentity {
  /** What the path says; the subprotocol decides (2.1 Part 4 §3.1.2). */
  versionInPath?: OcppVersion;
  notes: ("trailing-slash" | "repeated-identity")[];
}

export type UrlMistake = { reason: "no-such-path" } | { reason: "bad-identity"; detail: string };

/**
 * Reads `{prefix}[/{version}]/{identity}` from a raw request path (J16 §3.1.1). Forgiven, and noted: a trailing slash,
 * and the identity given twice, as stations do that append it to an address which already ends in it.
 * @param prefixes without trailing slash; "" is the root. The longest that fits counts.
 */
export function parseStationUrl(path: string, prefixes: readonly string[]): Result<StationUrl, UrlMistake> {
  const fitting = prefixes.filter((prefix) => path.startsWith(`${prefix}/`));
  if (fitting.length === 0) return err({ reason: "no-such-path" });
  const prefix = fitting.reduce((longest, other) => (other.length > longest.length ? other : longest));

  const notes: StationUrl["notes"] = [];
  const segments = path.slice(prefix.length + 1).split("/");
  if (segments.length > 1 && segments.at(-1) === "") {
    segments.pop();
    notes.push("trailing-slash");
  }
  const [first = "", ...rest] = segments;
  const versioned = isOcppVersion(first);
  const [raw = "", again, ...more] = versioned ? rest : segments;
  const parsed = parseSegment(raw);
  if (!parsed.ok) return err({ reason: "bad-identity", detail: parsed.error });
  if (again !== undefined) {
    const repeated = parseSegment(again);
    if (more.length > 0 || !repeated.ok || repeated.value.identity !== parsed.value.identity)
      return err({ reason: "bad-identity", detail: "the path goes on after the identity" });
    notes.push("repeated-identity");
  }
  return ok({ ...parsed.value, notes, ...(versioned ? { versionInPath: first } : {}) });
}

/** Percent-decodes once: what is encoded twice stays encoded, and no second decoding can bring in a slash. */
function parseSegment(raw: string): Result<ParsedIdentity, string> {
  try {
    return parseStationIdentity(decodeURIComponent(raw));
  } catch {
    return err("the identity is not valid percent-encoded UTF-8");
  }
}
