/** What stands in rows, logs and answers in the place of a secret. */
export const MASK = "***";

/** Settings that hold a password or a key: 1.6 configuration keys and 2.x variables, and vendors' own. */
const SECRET_SETTING = /authorizationkey|password|passphrase|secret|vpnkey|apikey|token/i;

/** Whether a configuration key (1.6) or variable (2.x) of this name holds a secret: its value is never stored. */
export const isSecretSetting = (name: string): boolean => SECRET_SETTING.test(name);

/** Fields that are secrets wherever they stand in a request of ours (2.x SetNetworkProfile: APN and VPN). */
const SECRET_FIELDS = new Set(["basicAuthPassword", "apnPassword", "simPin", "password", "key"]);
const NETWORK_PROFILE = "SetNetworkProfile";

/** Addresses that we give to a station, which may carry a password (`ftp://user:password@host`) or be signed. */
const ADDRESS_FIELDS = new Set(["location", "remoteLocation", "ocppCsmsUrl"]);
/** Parameters of an address that are as good as a password: of links that are signed, and the like. */
const SECRET_PARAMETER = /token|secret|password|signature|credential|^sig$|^key$|apikey/i;

/** No message of OCPP wants a private key; somebody may paste one beside a certificate all the same. */
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/**
 * Dot paths of the values in a payload that nobody but the station may read: the new password of a ChangeConfiguration
 * (1.6 §5.3, `AuthorizationKey`), a SetVariables (2.x, `BasicAuthPassword`), a SetNetworkProfile, an upload address with a
 * password or a signature, a private key anywhere. @param payload valid against its schema.
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
      (ADDRESS_FIELDS.has(name) && holdsPassword(value)) ||
      (typeof value === "string" && PRIVATE_KEY.test(value));
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
    const parent = steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], masked);
    // Masked as a whole already.
    if (typeof parent === "object" && parent !== null) (parent as Record<string, unknown>)[name] = MASK;
  }
  return masked;
}

type Visit = (path: string, name: string, value: string | number, parent: Record<string, unknown>) => void;

/**
 * A dot in a name (of customData, or of what a vendor is sent) would end the path there, so what is below it has the path of
 * all that it stands in: `closed`.
 */
function walk(value: unknown, path: string, visit: Visit, closed = false): void {
  if (typeof value !== "object" || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    const below = closed || name.includes(".");
    const at = below ? path : path === "" ? name : `${path}.${name}`;
    if (typeof part === "string" || typeof part === "number") visit(at, name, part, value as Record<string, unknown>);
    else walk(part, at, visit, below);
  }
}

/** `{variable: {name}, attributeValue}` of 2.x SetVariables. */
function variableName(parent: Record<string, unknown>): string {
  const variable = parent["variable"] as { name?: unknown } | undefined;
  return typeof variable?.name === "string" ? variable.name : "";
}

function holdsPassword(value: unknown): boolean {
  if (typeof value !== "string" || !URL.canParse(value)) return false;
  const { password, searchParams } = new URL(value);
  return password !== "" || [...searchParams.keys()].some((name) => SECRET_PARAMETER.test(name));
}
