import { jsonWithSource } from "./json-source.ts";

// Gateways mask secrets before a frame is stored anywhere. This is the second wall: a frame that got past it (of a vendor's
// setting that was not known as a secret then) is not shown either.

const MASK = "***";
/** Settings that hold a password or a key: 1.6 configuration keys, 2.x variables, and the vendors' own. */
const SECRET_SETTING = /authorizationkey|password|passphrase|secret|vpnkey|apikey/i;
/** Where the value of a setting stands, beside its name. */
const VALUE_FIELDS: ReadonlySet<string> = new Set(["value", "attributeValue", "actualValue"]);
/** 2.x SetNetworkProfile: secrets by their own names. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(["basicAuthPassword", "apnPassword", "simPin"]);
const SUSPICIOUS = /authorizationkey|password|passphrase|secret|vpnkey|apikey|simPin/i;

/** The frame's text with the values of secret settings masked; as it came when there are none. Numbers keep their digits. */
export function maskSecretSettings(text: string): string {
  if (!SUSPICIOUS.test(withoutEscapes(text))) return text;
  let frame: unknown;
  try {
    frame = jsonWithSource.parse(text, (_name, value, { source }) =>
      typeof value === "number" && source !== undefined ? jsonWithSource.rawJSON(source) : value,
    );
  } catch {
    // No JSON, so nobody took a setting from it; what it is about may not be shown all the same.
    return MASK;
  }
  const masking = { found: false };
  const masked = walk(frame, false, masking);
  return masking.found ? JSON.stringify(masked) : text;
}

/** Letters may be written as escapes, and name the same setting. */
const withoutEscapes = (text: string): string =>
  text.includes(String.raw`\u00`)
    ? text.replaceAll(/\\u00([2-7][\da-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text;

/** @param within the settings of a secret: a report's values stand a level below its name. */
function walk(value: unknown, within: boolean, masking: { found: boolean }): unknown {
  if (Array.isArray(value)) return value.map((part) => walk(part, within, masking));
  if (typeof value !== "object" || value === null || jsonWithSource.isRawJSON(value)) return value;
  const secret = within || namesSecret(value as Record<string, unknown>);
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => {
      if (!SECRET_FIELDS.has(name) && !(secret && VALUE_FIELDS.has(name))) return [name, walk(part, secret, masking)];
      masking.found = true;
      return [name, MASK];
    }),
  );
}

/** `{key: "AuthorizationKey", …}` (1.6) or `{variable: {name: "BasicAuthPassword"}, …}` (2.x). */
function namesSecret({ key, variable }: Record<string, unknown>): boolean {
  const name = typeof variable === "object" && variable !== null ? (variable as { name?: unknown }).name : key;
  return typeof name === "string" && SECRET_SETTING.test(name);
}
