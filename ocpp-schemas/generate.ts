import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileScanners } from "./generation/compile-scanners.ts";
import { compileValidators } from "./generation/compile-validators.ts";
import { payloadTypes } from "./generation/payload-types.ts";
import { readSchemaSet, SCHEMA_FILES } from "./generation/read-schema-set.ts";

/** Types of every generated validators-*.js; written by hand, since TypeScript has nothing to learn from their code. */
const VALIDATOR_TYPES = `/** Returns whether the payload is valid; if not, \`errors\` holds the first mistake until the next call. */
export interface CompiledValidator {
  (payload: unknown): boolean;
  errors?: { keyword: string; instancePath: string; params: Record<string, unknown> }[] | null;
}
export declare const requests: ReadonlyMap<string, CompiledValidator>;
export declare const responses: ReadonlyMap<string, CompiledValidator>;
`;

/** The same for every scanners-*.js. */
const SCANNER_TYPES = `/** Returns the index behind a payload that is surely valid, else -1: payload-scanners.ts. */
type Scanner = (bytes: Uint8Array, at: number) => number;
export declare const scanners: ReadonlyMap<string, Scanner>;
export declare const transactionUpdate: Scanner | undefined;
`;

/**
 * Everything that is generated, by file name: per version the validators and the scanners (plain ES modules that import
 * nothing), their types, and the payload types. Depends on the pinned packages only, so that the same lockfile gives the same bytes.
 */
export async function generatedFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const source of SCHEMA_FILES) {
    const set = readSchemaSet(source);
    files.set(`validators-${set.version}.js`, await compileValidators(set));
    files.set(`validators-${set.version}.d.ts`, VALIDATOR_TYPES);
    files.set(`scanners-${set.version}.js`, await compileScanners(set));
    files.set(`scanners-${set.version}.d.ts`, SCANNER_TYPES);
    files.set(`payloads-${set.version}.ts`, payloadTypes(set));
  }
  return files;
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, "generated");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of await generatedFiles()) writeFileSync(join(folder, name), text);
}
