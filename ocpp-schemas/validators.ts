import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import * as compiled16 from "#generated/validators-1.6";
import * as compiled201 from "#generated/validators-2.0.1";
import * as compiled21 from "#generated/validators-2.1";
import { explainSchemaError, shown, type PayloadRefusal, type SchemaError } from "./explain-schema-error.ts";

export type PayloadKind = "request" | "response";

const VALIDATORS = { "1.6": compiled16, "2.0.1": compiled201, "2.1": compiled21 };

/**
 * Checks a payload against the published schema of its message.
 * @returns undefined if it is valid; else the first mistake found, in words for a person (≤ 255 characters, with at most
 * 40 characters of the payload). Never throws, whatever the action's name or the payload.
 */
export function validatePayload(
  version: OcppVersion,
  action: string,
  kind: PayloadKind,
  payload: unknown,
): PayloadRefusal | undefined {
  const compiled = VALIDATORS[version];
  const validate = (kind === "request" ? compiled.requests : compiled.responses).get(action);
  if (!validate) return withoutSchema(version, action, kind);
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    return { refusal: "wrong-type", description: "the payload must be a JSON object", pointer: "" };
  }
  if (validate(payload)) return undefined;
  const mistake = validate.errors?.[0];
  if (!mistake) throw new Error("a compiled validator said no without an error");
  return explainSchemaError(version, mistake, payload);
}

/**
 * The first mistake in a payload as the validator has it, for those who put it right and look for the next; undefined: it
 * is valid.
 * @param payload of an action that the version knows: for others there is nothing to be wrong with, and it throws
 */
export function firstSchemaError(
  version: OcppVersion,
  action: string,
  kind: PayloadKind,
  payload: object,
): SchemaError | undefined {
  const compiled = VALIDATORS[version];
  const validate = (kind === "request" ? compiled.requests : compiled.responses).get(action);
  if (!validate) throw new Error("no schema: validatePayload comes first");
  return validate(payload) ? undefined : validate.errors?.[0];
}

function withoutSchema(version: OcppVersion, action: string, kind: PayloadKind): PayloadRefusal {
  if (kind === "response" && VALIDATORS[version].requests.has(action)) {
    return { refusal: "protocol", description: `${action} is a SEND and has no response`, pointer: "" };
  }
  return {
    refusal: "unknown-action",
    description: `${shown(action)} is not an action of OCPP ${version}`,
    pointer: "",
  };
}
