/** What stands in the audit log in the place of a secret, or of what tells who somebody is. */
const MASK = "***";

/** Names of fields whose values nobody reads in an audit log: secrets, and names and addresses of people. */
const MASKED =
  /password|secret|token|api_?key|email|phone|full_name|signed_by|contact_name|owner_name|id_token|id_tag|idtag|^(group|note|payload|parameters|site_owner|tokens|rows|csv)$/i;

const MAX_DEPTH = 6;
const MAX_ENTRIES = 100;
const MAX_TEXT = 500;

/**
 * A copy of a request for the audit log: secrets and personal data masked, long texts and lists cut. What a command sends is
 * left to the command's own row, which masks by OCPP's rules.
 */
export function maskRequest(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "…";
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((entry) => maskRequest(entry, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ENTRIES)
      .map(([name, entry]) => [name, MASKED.test(name) ? MASK : maskRequest(entry, depth + 1)]),
  );
}
