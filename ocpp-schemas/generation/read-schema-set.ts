import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { JsonSchema, MessageSchema, PayloadKind, SchemaSet } from "./json-schema.ts";
import { rewriteSchema } from "./rewrite-schema.ts";

interface PublishedMessage extends Record<string, unknown> {
  $id: string;
  definitions?: Record<string, Record<string, unknown>>;
}

/** Which file of the package holds which version. */
export const SCHEMA_FILES = [
  { version: "1.6", suffix: "16", file: "ocpp1_6.json" },
  { version: "2.0.1", suffix: "201", file: "ocpp2_0_1.json" },
  { version: "2.1", suffix: "21", file: "ocpp2_1.json" },
] as const;

/** Reads one version's schemas out of the ocpp-rpc package and rewrites them in memory. Nothing of them is committed. */
export function readSchemaSet({ version, suffix, file }: (typeof SCHEMA_FILES)[number]): SchemaSet {
  const packageJson = createRequire(import.meta.url).resolve("ocpp-rpc/package.json");
  const text = readFileSync(join(dirname(packageJson), "lib", "schemas", file), "utf8");
  const published = JSON.parse(text) as PublishedMessage[];
  const definitions = new Map<string, JsonSchema>();
  const messages = published.map((message): MessageSchema => {
    shareDefinitions(message, definitions);
    return { ...messageName(message.$id), schema: rewriteSchema(message) };
  });
  return { version, suffix, messages, definitions };
}

/** `urn:Reset.req` (1.6, 2.0.1), `urn:ResetRequest` (2.1), and the one message that has no answer: `urn:NotifyPeriodicEventStream`. */
function messageName(id: string): { action: string; kind: PayloadKind } {
  const match = /^urn:(\w+?)(\.req|\.conf|Request|Response)?$/.exec(id);
  if (!match?.[1]) throw new Error(`cannot read the message's name from ${id}`);
  return { action: match[1], kind: match[2] === ".conf" || match[2] === "Response" ? "response" : "request" };
}

/**
 * Every published message repeats its classes; here each exists once, compiled once.
 * Throws when two messages mean different things by one name: none do today.
 */
function shareDefinitions(message: PublishedMessage, shared: Map<string, JsonSchema>): void {
  for (const [name, published] of Object.entries(message.definitions ?? {})) {
    const schema = rewriteSchema(published);
    const existing = shared.get(name);
    if (!existing) shared.set(name, schema);
    else if (canonical(existing) !== canonical(schema))
      throw new Error(`${message.$id}: another ${name} than in other messages`);
  }
}

/** The same text for schemas that differ only in the order of their keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
