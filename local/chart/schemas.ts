import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { parseAllDocuments } from "yaml";
import { goModule } from "./go-tools.ts";
import type { Manifest } from "./manifests.ts";

/** The oldest that the chart takes, and the newest that is looked at: what each says of its own objects. */
export const KUBERNETES = ["v1.30.14", "v1.35.0"];
/** Objects of others: module, and where in it their definitions are. */
const DEFINITIONS = [
  ["github.com/prometheus-operator/prometheus-operator@v0.85.0", "example/prometheus-operator-crd"],
  ["sigs.k8s.io/gateway-api@v1.4.0", "config/crd/standard"],
  ["github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases"],
] as const;

type Schema = Record<string, unknown>;

/** Says what is wrong with an object; nothing when it is right. */
export type Validate = (manifest: Manifest) => string[];

/**
 * Schemas of a version of Kubernetes and of what others define, as a validator that refuses what the cluster's API would
 * silently drop: names that no schema has.
 *
 * @throws NotHere without Go
 */
export async function openValidator(version: string): Promise<Validate> {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true, inlineRefs: false });
  const kinds = new Map<string, string>();
  const swagger = JSON.parse(
    readFileSync(join(await goModule(`k8s.io/kubernetes@${version}`), "api/openapi-spec/swagger.json"), "utf8"),
  ) as { definitions: Record<string, Schema> };
  ajv.addSchema({ $id: "kubernetes", definitions: strict({ properties: swagger.definitions })["properties"] });
  for (const [name, definition] of Object.entries(swagger.definitions)) {
    const of = definition["x-kubernetes-group-version-kind"] as
      | { group: string; version: string; kind: string }[]
      | undefined;
    for (const { group, version: at, kind } of of ?? [])
      kinds.set(`${group === "" ? at : `${group}/${at}`} ${kind}`, `kubernetes#/definitions/${name}`);
  }
  for (const [module, folder] of DEFINITIONS) {
    for (const { group, kind, version: at, schema } of definitionsIn(join(await goModule(module), folder))) {
      const name = `${group}/${at} ${kind}`;
      ajv.addSchema(strict(schema), name);
      kinds.set(name, name);
    }
  }

  return (manifest) => {
    const kind = `${manifest.apiVersion} ${manifest.kind}`;
    const validate = ajv.getSchema(kinds.get(kind) ?? "");
    if (validate === undefined) return [`${kind} is not known to Kubernetes ${version}`];
    if (validate(manifest)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${manifest.kind} ${manifest.metadata.name}${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}

function* definitionsIn(folder: string): Generator<{ group: string; kind: string; version: string; schema: Schema }> {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".yaml"))) {
    for (const document of parseAllDocuments(readFileSync(join(folder, file), "utf8"))) {
      const definition = document.toJS() as {
        kind?: string;
        spec: {
          group: string;
          names: { kind: string };
          versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
        };
      } | null;
      if (definition?.kind !== "CustomResourceDefinition") continue;
      const { group, names, versions } = definition.spec;
      for (const { name, schema } of versions)
        yield { group, kind: names.kind, version: name, schema: schema.openAPIV3Schema };
    }
  }
}

/** A schema of Kubernetes as one of JSON, with no other names than it has. */
function strict(schema: Schema): Schema {
  if (schema["x-kubernetes-int-or-string"] === true || schema["format"] === "int-or-string")
    return { type: ["integer", "string"] };
  const {
    properties,
    items,
    additionalProperties,
    $ref,
    anyOf: _anyOf,
    oneOf: _oneOf,
    allOf: _allOf,
    not: _not,
    ...rest
  } = schema;
  if (typeof $ref === "string") return { $ref: `kubernetes${$ref}` };
  const changed: Schema = { ...rest };
  // Go's syntax is not that of JSON Schema.
  if (typeof changed["pattern"] === "string" && !compiles(changed["pattern"])) delete changed["pattern"];
  if (isQuantity(schema)) changed["type"] = ["string", "number"];
  if (isSchema(items)) changed["items"] = strict(items);
  if (isSchema(additionalProperties)) changed["additionalProperties"] = strict(additionalProperties);
  else if (additionalProperties !== undefined) changed["additionalProperties"] = additionalProperties;
  if (isSchema(properties)) {
    changed["properties"] = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, strict(property as Schema)]),
    );
    if (additionalProperties === undefined && schema["x-kubernetes-preserve-unknown-fields"] !== true)
      changed["additionalProperties"] = false;
  }
  return changed;
}

function compiles(pattern: string): boolean {
  try {
    return new RegExp(pattern, "u") instanceof RegExp;
  } catch {
    return false;
  }
}

const isSchema = (value: unknown): value is Schema => typeof value === "object" && value !== null;

/** What Kubernetes writes as a string and reads as a number too. */
const isQuantity = (schema: Schema) =>
  schema["type"] === "string" && String(schema["description"]).startsWith("Quantity is a fixed-point");
