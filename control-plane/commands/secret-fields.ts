/** What stands in rows, logs and answers in the place of a secret. */
const MASK = "***";

/** Settings that hold a password or a key: 1.6 configuration keys and 2.x variables, and vendors' own. */
const SECRET_SETTING = /authorizationkey|password|passphrase|secret|vpnkey|apikey|token/i;

/** Fields that are secrets wherever they stand in a request of ours (2.x SetNetworkProfile: APN and VPN). */
const SECRET_FIELDS = new Set(["basicAuthPassword", "apnPassword", "simPin", "password", "key"]);
const NETWORK_PROFILE = "SetNetworkProfile";

/** Addresses that we give to a station, which may carry a password (`ftp://user:password@host`). */
const ADDRESS_FIELDS = new Set(["location", "remoteLocation"]);

/**
 * Dot paths of the values in a payload that nobody but the station may read: the new password of a ChangeConfiguration
 * (1.6 §5.3, `AuthorizationKey`), a SetVariables (2.x, `BasicAuthPassword`), a SetNetworkProfile, the password in an upload
 * address. @param payload valid against its schema.
 */
export function secretPathsOf(action: string, payload: unknown): string[] {
  const paths: string[] = [];
  walk(payload, "", (path, name, value, parent) => {
    const secret =
      (name === "value" &&
        action === "ChangeConfiguration" &&
        typeof parent["key"] === "string" &&
        SECRET_SETTING.test(parent["key"])) ||
      (name === "attributeValue" && SECRET_SETTING.test(variableName(parent))) ||
      (action === NETWORK_PROFILE && SECRET_FIELDS.has(name)) ||
      (ADDRESS_FIELDS.has(name) && holdsPassword(value));
    if (secret) paths.push(path);
  });
  return paths;
}

/** A copy of the payload with these values replaced by MASK. */
export function maskSecrets(payload: unknown, paths: readonly string[]): unknown {
  const masked = structuredClone(payload);
  for (const path of paths) {
    const steps = path.split(".");
    const name = steps.pop() as string;
    const parent = steps.reduce((at, step) => at[step] as Record<string, unknown>, masked as Record<string, unknown>);
    parent[name] = MASK;
  }
  return masked;
}

type Visit = (path: string, name: string, value: string | number, parent: Record<string, unknown>) => void;

function walk(value: unknown, path: string, visit: Visit): void {
  if (typeof value !== "object" || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    const at = path === "" ? name : `${path}.${name}`;
    if (typeof part === "string" || typeof part === "number") visit(at, name, part, value as Record<string, unknown>);
    else walk(part, at, visit);
  }
}

/** `{variable: {name}, attributeValue}` of 2.x SetVariables. */
function variableName(parent: Record<string, unknown>): string {
  const variable = parent["variable"] as { name?: unknown } | undefined;
  return typeof variable?.name === "string" ? variable.name : "";
}

const holdsPassword = (value: unknown): boolean =>
  typeof value === "string" && URL.canParse(value) && new URL(value).password !== "";
