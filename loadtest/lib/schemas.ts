// The validators that the gateway uses too, generated from the OCPP schemas: they import nothing, so k6 can run them.
import * as v16 from "../../ocpp-schemas/generated/validators-1.6.js";
import * as v201 from "../../ocpp-schemas/generated/validators-2.0.1.js";
import * as v21 from "../../ocpp-schemas/generated/validators-2.1.js";
import type { Version } from "./settings.ts";

const SETS = { "1.6": v16, "2.0.1": v201, "2.1": v21 } as const;

/** Whether the schemas allow this as the answer to that action. */
export function isAnswer(version: Version, action: string, payload: unknown): boolean {
  return SETS[version].responses.get(action)?.(payload) === true;
}

/** Whether the schemas allow this as a CALL. */
export function isRequest(version: Version, action: string, payload: unknown): boolean {
  return SETS[version].requests.get(action)?.(payload) === true;
}
