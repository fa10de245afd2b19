import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** The part of JSON Schema draft-07 that OCPP's schemas use. Anything else stops the generator (rewrite-schema.ts). */
export interface JsonSchema {
  $id?: string;
  $ref?: string;
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean;
  items?: JsonSchema;
  minItems?: number;
  maxItems?: number;
  enum?: string[];
  maxLength?: number;
  format?: string;
  minimum?: number;
  maximum?: number;
  multipleOf?: number;
}

export type PayloadKind = "request" | "response";

/** One published schema, rewritten: `$ref`s name entries of its set's `definitions`. */
export interface MessageSchema {
  action: string;
  kind: PayloadKind;
  schema: JsonSchema;
}

/** Every message of one OCPP version, with the classes that they share. */
export interface SchemaSet {
  version: OcppVersion;
  /** What names of this version end in: BootNotificationRequest16. */
  suffix: string;
  messages: MessageSchema[];
  definitions: Map<string, JsonSchema>;
}
