// docs/configuration.md against the sources: whoever adds a setting says so there.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "./folders.ts";

const SKIPPED = new Set(["node_modules", "dist", "generated", "test", "e2e", "faults", ".local"]);
/** Set by the processes for each other, or by npm: nobody's settings. */
const INTERNAL = new Set(["PATH", "DYNAMO_BACKGROUND", "PDF_SIGNING_CERT_FILE"]);

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (SKIPPED.has(name)) return [];
    if (statSync(path).isDirectory()) return sourcesBelow(path);
    return /(?<!\.test|\.d)\.ts$/.test(name) && name !== "vitest-global-setup.ts" ? [readFileSync(path, "utf8")] : [];
  });
}
const sources = ["gateway", "control-plane", "proto", "local"].flatMap((name) =>
  sourcesBelow(join(FOLDERS.root, name)),
);
const everyMatch = (pattern: RegExp) =>
  sources.flatMap((text) => [...text.matchAll(pattern)].map((match) => match.slice(1) as string[]));

const PAGE = readFileSync(join(FOLDERS.root, "docs/configuration.md"), "utf8");
/** Variable, whether it may come as a file, default, processes, what. */
const ROWS = [...PAGE.matchAll(/^\| `([A-Z][A-Z0-9_]*)`( F)? \| (.+?) \| (.+?) \| (.+) \|$/gm)].map(
  ([, name = "", file, fallback = "", processes = "", what = ""]) => ({
    name,
    file: file !== undefined,
    fallback,
    processes,
    what,
  }),
);
const READ = String.raw`(?:read|this|#read|optionalPort)\.?`;

/** Names that are read as they stand in the source, and those that are put together. */
function namesRead(): Set<string> {
  const plain = everyMatch(new RegExp(String.raw`\b${READ}\w*\((?:read, )?\s*"([A-Z][A-Z0-9_]{3,})"`, "g")).concat(
    everyMatch(/\benv\["([A-Z][A-Z0-9_]*)"\]/g),
    everyMatch(/\burl\("([A-Z][A-Z0-9_]*)"/g),
  );
  const destructured = everyMatch(/const \{([^}]*)\} = process\.env;/g).flatMap(([list = ""]) =>
    [...list.matchAll(/\b([A-Z][A-Z_]+)\b/g)].map((match) => [match[1] as string]),
  );
  const commissioning = everyMatch(/\bseconds\("([A-Z]+)"/g).map(([name]) => [`COMMISSIONING_${name}_SECONDS`]);
  const limits = everyMatch(/^ {2}(\w+): \{ requests:/gm).map(([name = ""]) => [
    `RATE_LIMIT_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
  ]);
  const names = [...plain, ...destructured, ...commissioning, ...limits].map(([name]) => name as string);
  return new Set([...names, "DATA_TRANSFER_HOOK_TIMEOUT_MS"].filter((name) => !INTERNAL.has(name)));
}

test("every variable that a process reads stands on the page, once, and no other", () => {
  const named = ROWS.map(({ name }) => name);
  expect([...namesRead()].sort()).toEqual(named.toSorted());
  expect(namesRead().size).toBeGreaterThan(90);
});

test("the page has the defaults of the sources, and says which may come as a file", () => {
  const number = (text: string) => Number(text.replaceAll("_", ""));
  const duration = (ms: number) => (ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`);
  const defaults = [
    ...everyMatch(/\.integer\("(\w+)", ([\d_]+),/g).map(([name, text = ""]) => [name, String(number(text))]),
    ...everyMatch(/\.durationMs\("(\w+)", ([\d_]+),/g).map(([name, text = ""]) => [name, duration(number(text))]),
    ...everyMatch(/\.(?:choice|boolean)\("(\w+)", "?([\w/]+)"?,?/g),
    ...everyMatch(/\.text\("(\w+)"(?:, |\) \?\? )"([^"]+)"/g),
  ];
  expect(defaults.length).toBeGreaterThan(45);
  for (const [name, value] of defaults)
    expect(ROWS.find((row) => row.name === name)?.fallback, name).toContain(`\`${value}\``);
  const files = everyMatch(/\.secret\("(\w+)"\)/g).concat(everyMatch(/\bread\.(?:required|url)\(\s*"(\w+)"/g));
  const inFiles = new Set(files.map(([name]) => name));
  inFiles.delete("DECISIONS_URL"); // the gateway's own reader is told how it comes, and reads it as text
  for (const name of inFiles) expect(ROWS.find((row) => row.name === name)?.file, name).toBe(true);
});
