import { randomBytes } from "node:crypto";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { digestPassword, type Peppers } from "@dynamo-csms/proto/station-password";
import type { CredentialEncoding } from "@dynamo-csms/proto/station-record";
import { newProvisioningPassword } from "../stations/provisioning-password.ts";

/** What is stored of a new password: one form, or both in which it may travel. */
export interface PendingVerifier {
  slot: "pending" | "pending_text";
  digest: Buffer;
  pepperId: string;
  encoding: CredentialEncoding;
}

/** The shortest password that the specification allows (2.x A00.FR.205: 16 characters; 1.6 security whitepaper: 16 bytes). */
export const MIN_PASSWORD_LENGTH = 16;

/**
 * A random password as it is sent to a station: of 1.6 forty hexadecimal digits, which stand for 20 bytes (AuthorizationKey,
 * J16 §6.2.2); of 2.x twenty letters and digits (BasicAuthPassword, 16 to 40 characters).
 */
export const newStationPassword = (version: OcppVersion): string =>
  version === "1.6" ? randomBytes(20).toString("hex") : newProvisioningPassword();

/** The CALL that gives a station this password. */
export function passwordCall(version: OcppVersion, password: string): { action: string; payload: object } {
  if (version === "1.6")
    return { action: "ChangeConfiguration", payload: { key: "AuthorizationKey", value: password } };
  const setting = { component: { name: "SecurityCtrlr" }, variable: { name: "BasicAuthPassword" } };
  return { action: "SetVariables", payload: { setVariableData: [{ attributeValue: password, ...setting }] } };
}

/** Whether a CALL sets the password more than once: which one the station ends with nobody could tell from its answer. */
export const setsPasswordTwice = (action: string, payload: unknown): boolean =>
  action === "SetVariables" &&
  (payload as { setVariableData: SetVariable[] }).setVariableData.filter(setsPassword).length > 1;

/** The new password that a CALL would give to the station it is sent to; undefined where it gives none. @param payload valid. */
export function passwordIn(action: string, payload: unknown): string | undefined {
  if (action === "ChangeConfiguration") {
    const { key, value } = payload as { key: string; value: string };
    return key.toLowerCase() === "authorizationkey" ? value : undefined;
  }
  if (action !== "SetVariables") return undefined;
  const { setVariableData } = payload as { setVariableData: SetVariable[] };
  return setVariableData.findLast(setsPassword)?.attributeValue;
}

interface SetVariable {
  attributeValue: string;
  component: { name: string };
  variable: { name: string };
}

/** Names of components and variables are compared without case (2.x Part 2, identifierString). */
export const setsPassword = ({ component, variable }: { component: { name: string }; variable: { name: string } }) =>
  component.name.toLowerCase() === "securityctrlr" && variable.name.toLowerCase() === "basicauthpassword";

/**
 * The verifiers of a new password, under the newest pepper. A 1.6 key travels as the bytes that its digits stand for, but
 * some units send the digits: both forms are accepted until the first login tells which, for they are one secret.
 */
export function pendingVerifiers(version: OcppVersion, password: string, peppers: Peppers): PendingVerifier[] {
  const [newest] = peppers;
  if (newest === undefined) throw new Error("no pepper is configured");
  const [pepperId, pepper] = newest;
  const of = (slot: PendingVerifier["slot"], bytes: Buffer, encoding: CredentialEncoding): PendingVerifier => ({
    slot,
    digest: digestPassword(bytes, pepper),
    pepperId,
    encoding,
  });
  const text = Buffer.from(password, "utf8");
  if (version !== "1.6" || !/^(?:[0-9a-f]{2})+$/i.test(password)) return [of("pending", text, "literal")];
  return [of("pending", Buffer.from(password, "hex"), "hexDecoded"), of("pending_text", text, "literal")];
}
