import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { isStationAction } from "../actions.ts";
import type { JsonSchema, SchemaSet } from "./json-schema.ts";
import { listCode, objectCode, wordCode, type Reader } from "./scanner-code.ts";

/**
 * One version's scanners as an ES module that imports nothing: `scanners`, a Map from action to scanner, for what stations send,
 * and `transactionUpdate`. An action whose schema has a constraint that this does not know has none. The same set gives the
 * same bytes.
 */
export async function compileScanners(set: SchemaSet): Promise<string> {
  const scanners = new Scanners(set.definitions);
  const sent = set.messages.filter(({ action, kind }) => kind === "request" && isStationAction(set.version, action));
  const entries = sent.flatMap(({ action, schema }) => {
    const reader = scanners.payloadReader(schema, action);
    return reader === undefined ? [] : `["${action}", ${reader.name}]`;
  });
  const event = sent.find(({ action }) => action === "TransactionEvent");
  const update = event && scanners.payloadReader(updatesOnly(event.schema), "TransactionUpdate");
  return bundle(`import { ${PRIMITIVES.join(", ")} } from "./scanner-primitives.ts";
${scanners.functions.join("\n")}
export const scanners = new Map([${entries.join(",\n")}]);
export const transactionUpdate = ${update?.name};
`);
}

/** TransactionEvents about a transaction that goes on, without a token: nothing in them is to be decided. */
function updatesOnly(schema: JsonSchema): JsonSchema {
  const { idToken: _idToken, ...properties } = schema.properties ?? {};
  return { ...schema, properties: { ...properties, eventType: { type: "string", enum: ["Updated"] } } };
}

const PRIMITIVES = [
  "anyText",
  "boolean",
  "colon",
  "dateTime",
  "integer",
  "integerWithin",
  "number",
  "numberWithin",
  "skip",
  "text",
];

const primitive = (name: string, ...limits: number[]): Reader => ({ name, limits });

/** The functions of one version, each once, however many messages need it. */
class Scanners {
  readonly functions: string[] = [];
  readonly #names = new Map<string, string>();
  readonly #definitions: ReadonlyMap<string, JsonSchema>;

  constructor(definitions: ReadonlyMap<string, JsonSchema>) {
    this.#definitions = definitions;
  }

  /** For what a CALL or SEND carries: always an object. */
  payloadReader(schema: JsonSchema, name: string): Reader | undefined {
    return schema.type === "object" ? this.readerOf(schema, `${name}Request`, []) : undefined;
  }

  /**
   * @param name what a function for it is called, if one is needed @param within the classes that it is part of
   * @returns undefined for a schema that says anything that is not known here
   */
  readerOf(schema: JsonSchema, name: string, within: readonly string[]): Reader | undefined {
    if (schema.$ref !== undefined) {
      const referred = this.#definitions.get(schema.$ref);
      // A class that holds itself would let a frame choose how deep the stack gets.
      if (referred === undefined || !saysOnly(schema, "$ref") || within.includes(schema.$ref)) return undefined;
      return this.readerOf(referred, schema.$ref, [...within, schema.$ref]);
    }
    switch (schema.type) {
      case undefined: // any JSON: of that, only what is usual is read
        return saysOnly(schema) ? primitive("anyText") : undefined;
      case "boolean":
        return saysOnly(schema, "type") ? primitive("boolean") : undefined;
      case "integer":
      case "number":
        return numberReader(schema, schema.type);
      case "string":
        return schema.enum === undefined ? stringReader(schema) : this.#wordReader(schema, schema.enum, name);
      case "array":
        return this.#listReader(schema, name, within);
      case "object":
        return this.#objectReader(schema, name, within);
    }
  }

  #wordReader(schema: JsonSchema, words: readonly string[], name: string): Reader | undefined {
    return saysOnly(schema, "type", "enum") ? this.#function(name, wordCode(words)) : undefined;
  }

  #listReader(schema: JsonSchema, name: string, within: readonly string[]): Reader | undefined {
    const { items, minItems = 0, maxItems = Infinity } = schema;
    if (items === undefined || !saysOnly(schema, "type", "items", "minItems", "maxItems")) return undefined;
    const item = this.readerOf(items, `${name}_item`, within);
    return item && this.#function(`${name}_list`, listCode(item, minItems, maxItems));
  }

  #objectReader(schema: JsonSchema, name: string, within: readonly string[]): Reader | undefined {
    // Where a class is open (customData of 2.x), what it does not name is left open too.
    if (!saysOnly(schema, "type", "properties", "required", "additionalProperties")) return undefined;
    const { properties = {}, required = [] } = schema;
    const fields = new Map<string, Reader>();
    for (const [field, property] of Object.entries(properties)) {
      const reader = this.readerOf(property, `${name}_${field}`, within);
      if (reader === undefined) return undefined;
      fields.set(field, reader);
    }
    if (!required.every((field) => fields.has(field))) return undefined;
    return this.#function(name, objectCode(fields, required));
  }

  #function(wanted: string, body: string): Reader {
    const known = this.#names.get(body);
    if (known !== undefined) return primitive(known);
    if (this.#names.values().some((taken) => taken === wanted)) throw new Error(`two scanners called ${wanted}`);
    this.#names.set(body, wanted);
    this.functions.push(`function ${wanted}(b, p) {\n${body}\n}`);
    return primitive(wanted);
  }
}

function stringReader(schema: JsonSchema): Reader | undefined {
  if (schema.format !== undefined)
    return schema.format === "date-time" && saysOnly(schema, "type", "format") ? primitive("dateTime") : undefined;
  if (!saysOnly(schema, "type", "maxLength")) return undefined;
  return schema.maxLength === undefined ? primitive("anyText") : primitive("text", schema.maxLength);
}

function numberReader(schema: JsonSchema, type: "integer" | "number"): Reader | undefined {
  if (!saysOnly(schema, "type", "minimum", "maximum")) return undefined;
  const { minimum = -Infinity, maximum = Infinity } = schema;
  const limits = [minimum, maximum];
  if (limits.every((limit) => !Number.isFinite(limit))) return primitive(type);
  return limits.every((limit) => !Number.isFinite(limit) || Number.isSafeInteger(limit))
    ? primitive(`${type}Within`, ...limits)
    : undefined;
}

/** Nothing that a schema demands may be passed over. */
function saysOnly(schema: JsonSchema, ...known: (keyof JsonSchema)[]): boolean {
  return Object.keys(schema).every((keyword) => known.some((one) => one === keyword));
}

async function bundle(contents: string): Promise<string> {
  const result = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)), sourcefile: "scanners.js" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    minifySyntax: true, // writes constants as numbers
    minifyWhitespace: true, // names stay: a profile has to tell them apart
    legalComments: "none",
  });
  const [output] = result.outputFiles;
  if (!output) throw new Error("esbuild wrote nothing");
  return output.text;
}
