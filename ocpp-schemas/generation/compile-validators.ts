import { Ajv } from "ajv";
import standalone from "ajv/dist/standalone/index.js";
import formats from "ajv-formats";
import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import type { JsonSchema, SchemaSet } from "./json-schema.ts";

/**
 * One version's validators as an ES module that imports nothing: `requests` and `responses`, each a Map from action to
 * validator. The same set gives the same bytes.
 */
export async function compileValidators(set: SchemaSet): Promise<string> {
  const ajv = new Ajv({
    strict: true,
    strictTypes: true,
    strictTuples: true,
    strictRequired: true,
    allErrors: false, // stops at the first mistake: a hostile payload must not cost more than a good one
    messages: false, // the words are ours: validation-words.ts
    multipleOfPrecision: 6, // 0.3 is a multiple of 0.1, whatever binary fractions say
    inlineRefs: 3, // enums and short classes in place; larger ones compiled once for all messages
    code: { source: true, esm: true, lines: false },
  });
  formats.default(ajv, { mode: "full" });
  for (const [name, schema] of set.definitions) ajv.addSchema(withIds(set, name, schema));
  const exportNames: Record<string, string> = {};
  for (const { action, kind, schema } of set.messages) {
    const name = `${action}_${kind}`;
    ajv.addSchema(withIds(set, name, schema));
    exportNames[name] = schemaId(set, name);
  }
  return bundle(standalone.default(ajv, exportNames), mapsByAction(set));
}

const schemaId = (set: SchemaSet, name: string): string => `urn:ocpp:${set.version}:${name}`;

/** The schema with its own `$id` and full references. */
function withIds(set: SchemaSet, name: string, schema: JsonSchema): JsonSchema {
  const refer = (inner: JsonSchema): JsonSchema => ({
    ...inner,
    ...(inner.$ref && { $ref: schemaId(set, inner.$ref) }),
    ...(inner.items && { items: refer(inner.items) }),
    ...(inner.properties && {
      properties: Object.fromEntries(Object.entries(inner.properties).map(([key, property]) => [key, refer(property)])),
    }),
  });
  return { $id: schemaId(set, name), ...refer(schema) };
}

function mapsByAction(set: SchemaSet): string {
  const map = (kind: string): string => {
    const entries = set.messages.filter((message) => message.kind === kind);
    return entries.map(({ action }) => `["${action}", compiled.${action}_${kind}]`).join(",\n");
  };
  return `import * as compiled from "compiled";
export const requests = new Map([${map("request")}]);
export const responses = new Map([${map("response")}]);
`;
}

/** ajv's standalone code calls require() for its run time even as ES module; bundled, it needs neither require nor ajv. */
async function bundle(compiled: string, entry: string): Promise<string> {
  const resolveDir = fileURLToPath(new URL("..", import.meta.url));
  const result = await build({
    stdin: { contents: entry, resolveDir, sourcefile: "validators.js" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["main"],
    minify: true,
    legalComments: "none",
    plugins: [
      {
        name: "compiled",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^compiled$/ }, () => ({ path: "compiled", namespace: "compiled" }));
          onLoad({ filter: /.*/, namespace: "compiled" }, () => ({ contents: compiled, resolveDir }));
        },
      },
    ],
  });
  const [output] = result.outputFiles;
  if (!output) throw new Error("esbuild wrote nothing");
  return output.text;
}
