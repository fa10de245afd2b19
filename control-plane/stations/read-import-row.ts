import { isOcppVersion, OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { parseStationIdentity } from "@dynamo-csms/proto/station-identity";
import { oneLine } from "../http/fields.ts";
import type { ImportedChargePoint } from "./import-charge-points.ts";
import { serialNumberOf } from "./serial-number.ts";

/** The columns of an import file; those with a default may be left out. */
export const IMPORT_COLUMNS = {
  identity: "the last part of the station's connection URL",
  password: "its Basic-auth password; empty only with security_profile 3",
  password_encoding:
    "literal (default), or hexDecoded: the column holds hex digits, and their bytes travel (1.6 AuthorizationKey)",
  serial_number: "default: the identity",
  vendor: "default: Unknown",
  model: "default: Unknown",
  ocpp_version: "1.6, 2.0.1 or 2.1",
  connector_count: "default: 1",
  max_power_kw: "optional",
  security_profile: "1 (default), 2 or 3",
} as const;

/** OCPP asks for 16 at least (2.x A00.FR.205; 1.6 security whitepaper, A00.FR.205). */
const MIN_PASSWORD_BYTES = 16;
const MAX_PASSWORD_BYTES = 64;

/** Reads one row of an import file. @returns the charge point, or every mistake in words. */
export function readImportRow(
  row: Record<string, string>,
  line: number,
  options: { allowWeak: boolean },
): Result<ImportedChargePoint, string[]> {
  const mistakes: string[] = [];
  const cell = (name: keyof typeof IMPORT_COLUMNS) => (row[name] ?? "").trim();
  const text = (name: "serial_number" | "vendor" | "model", fallback: string, max: number) => {
    const value = cell(name) === "" ? fallback : cell(name);
    if (!oneLine(max).safeParse(value).success) mistakes.push(`${name}: want one line of 1 to ${max} characters`);
    return value;
  };
  const number = (
    name: "connector_count" | "max_power_kw" | "security_profile",
    isGood: (n: number) => boolean,
    want: string,
  ) => {
    if (cell(name) === "") return undefined;
    const value = Number(cell(name));
    if (!isGood(value)) mistakes.push(`${name}: want ${want}`);
    return value;
  };

  const identity = parseStationIdentity(cell("identity"));
  if (!identity.ok) mistakes.push(`identity: ${identity.error}`);
  const version = cell("ocpp_version");
  if (!isOcppVersion(version)) mistakes.push(`ocpp_version: want one of ${OCPP_VERSIONS.join(", ")}`);
  const securityProfile = number("security_profile", (n) => [1, 2, 3].includes(n), "1, 2 or 3") ?? 1;
  const encoding = cell("password_encoding") === "" ? "literal" : cell("password_encoding");
  if (encoding !== "literal" && encoding !== "hexDecoded")
    mistakes.push("password_encoding: want literal or hexDecoded");
  // Spaces may be part of a password.
  const password = readPassword(row["password"] ?? "", encoding, { ...options, optional: securityProfile === 3 });
  if (!password.ok) mistakes.push(`password: ${password.error}`);
  const serialNumber = text("serial_number", identity.ok ? identity.value.spelling : "?", 64);
  const vendor = text("vendor", "Unknown", 100);
  const model = text("model", "Unknown", 100);
  const connectorCount =
    number("connector_count", (n) => Number.isInteger(n) && n >= 1 && n <= 100, "an integer from 1 to 100") ?? 1;
  const maxPowerKw = number("max_power_kw", (n) => n > 0 && n <= 100_000, "a number above 0");

  if (mistakes.length > 0 || !identity.ok || !password.ok || !isOcppVersion(version)) return err(mistakes);
  return ok({
    line,
    identity: identity.value.identity,
    identitySpelling: identity.value.spelling,
    password: password.value,
    encoding: encoding as "literal" | "hexDecoded",
    serialNumber: serialNumberOf(serialNumber),
    vendor,
    model,
    ocppVersion: version,
    connectorCount,
    maxPowerKw,
    securityProfile: securityProfile as 1 | 2 | 3,
  });
}

function readPassword(
  text: string,
  encoding: string,
  { allowWeak, optional }: { allowWeak: boolean; optional: boolean },
): Result<Buffer | undefined, string> {
  if (text === "") return optional ? ok(undefined) : err("is missing");
  if (encoding === "hexDecoded" && !/^(?:[0-9a-f]{2})+$/i.test(text)) return err("want pairs of hex digits");
  const bytes = Buffer.from(text, encoding === "hexDecoded" ? "hex" : "utf8");
  if (bytes.length > MAX_PASSWORD_BYTES) return err(`is longer than ${MAX_PASSWORD_BYTES} bytes`);
  if (bytes.length < MIN_PASSWORD_BYTES && !allowWeak)
    return err(`is shorter than ${MIN_PASSWORD_BYTES} bytes (--allow-weak takes it all the same)`);
  return ok(bytes);
}
