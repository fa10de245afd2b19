import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import formats from "ajv-formats";

const FILES: Record<string, string> = { "1.6": "ocpp1_6.json", "2.0.1": "ocpp2_0_1.json" };

/**
 * A validator for each request of a version, by action: the published schemas as they are, compiled by ajv with the formats
 * that everybody takes. Not the gateway's own validators: those may become faster, and what we are compared with may not.
 */
export function publishedValidators(version: string): ReadonlyMap<string, ValidateFunction> {
  const file = FILES[version];
  if (file === undefined) throw new Error(`OCPP ${version}: want ${Object.keys(FILES).join(" or ")}`);
  const packageJson = createRequire(import.meta.url).resolve("ocpp-rpc/package.json");
  const schemas = JSON.parse(readFileSync(join(dirname(packageJson), "lib", "schemas", file), "utf8")) as {
    $id: string;
  }[];
  const ajv = new Ajv({ strictSchema: false });
  formats.default(ajv);
  return new Map(
    schemas
      .filter(({ $id }) => $id.endsWith(".req"))
      .map(({ $id, ...schema }) => [$id.slice("urn:".length, -".req".length), ajv.compile(schema)]),
  );
}
