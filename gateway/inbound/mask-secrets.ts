// Nothing that opens a station's connection may stand in a stream, a row or a log. Which values those are is known by
// the name of the setting they belong to.

const MASK = "***";

/** Settings that hold a password or a key: 1.6 configuration keys, 2.x variables, and the vendors' own. */
const SECRET_SETTING = /authorizationkey|password|passphrase|secret|vpnkey|apikey|token/i;

/** Where the value of a named setting can stand. */
const VALUE_FIELDS = ["value", "attributeValue", "actualValue"];

/** Frames of a station in which it may tell its settings. All others are stored byte by byte. */
export const TELLS_SETTINGS: ReadonlySet<string> = new Set([
  "GetConfiguration",
  "GetVariables",
  "NotifyReport",
  "NotifyEvent",
  "NotifyMonitoringReport",
]);

/** The payload with every known secret setting masked, or undefined when there is none in it. */
export function maskSettings(payload: unknown): unknown {
  let found = false;
  const walk = (value: unknown, secret: boolean): unknown => {
    if (Array.isArray(value)) return value.map((part) => walk(part, secret));
    if (typeof value !== "object" || value === null) return value;
    const isSecret = secret || namesSecret(value as Record<string, unknown>);
    return Object.fromEntries(
      Object.entries(value).map(([name, part]) => {
        if (isSecret && VALUE_FIELDS.includes(name) && typeof part === "string") {
          found = true;
          return [name, MASK];
        }
        return [name, walk(part, isSecret)];
      }),
    );
  };
  const masked = walk(payload, false);
  return found ? masked : undefined;
}

/** `{key: "AuthorizationKey", …}` (1.6) or `{variable: {name: "BasicAuthPassword"}, …}` (2.x). */
function namesSecret(value: Record<string, unknown>): boolean {
  const variable = value["variable"];
  const name =
    typeof variable === "object" && variable !== null ? (variable as Record<string, unknown>)["name"] : value["key"];
  return typeof name === "string" && SECRET_SETTING.test(name);
}

/** A field whose value may be a secret, or whose own name says so: its value, to its end or to that of the text. */
const TOLD_VALUE = new RegExp(
  `("(?:${VALUE_FIELDS.join("|")}|[^"\\\\]{0,100}(?:${SECRET_SETTING.source})[^"\\\\]{0,100})"\\s*:\\s*")(?:[^"\\\\]|\\\\[^])*\\\\?("|$)`,
  "gi",
);

/**
 * The beginning of a text that may be no JSON: where a secret setting is named anywhere in the text, the values of all
 * settings are masked, for without structure nobody can tell which belongs to which.
 * @param length characters of the text to give back at the most
 */
export function maskText(text: string, length: number): string {
  const beginning = text.slice(0, length);
  return SECRET_SETTING.test(text) ? beginning.replace(TOLD_VALUE, `$1${MASK}$2`) : beginning;
}

/** The payload (JSON text) with the values at these dot paths masked. Paths that lead nowhere are skipped. */
export function maskPaths(payload: string, paths: readonly string[]): string {
  if (paths.length === 0) return payload;
  const root = JSON.parse(payload) as unknown;
  for (const path of paths) {
    const steps = path.split(".");
    const last = steps.pop() as string;
    let at: unknown = root;
    for (const step of steps) at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
    if (isObject(at) && Object.hasOwn(at, last)) at[last] = MASK;
  }
  return JSON.stringify(root);
}

/** Shorter values stand in many texts by chance. */
const MIN_SECRET = 6;

/** Masks the values at these dot paths of the payload (JSON text) wherever a text, plain or JSON, repeats them. */
export function echoMask(payload: string, paths: readonly string[]): (text: string) => string {
  const root = JSON.parse(payload) as unknown;
  const secrets = paths
    .map((path) =>
      path
        .split(".")
        .reduce<unknown>((at, step) => (isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined), root),
    )
    .filter((value) => typeof value === "string" && value.length >= MIN_SECRET)
    .flatMap((value) => [value as string, JSON.stringify(value).slice(1, -1)]);
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
