import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { FOLDERS } from "./folders.ts";

const SKIPPED = new Set(["node_modules", ".git", ".local", "dist", "generated"]);

function markdownBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (SKIPPED.has(name)) return [];
    return statSync(path).isDirectory() ? markdownBelow(path) : name.endsWith(".md") ? [path] : [];
  });
}

/** Paths of the repository in backticks (they begin with one of its folders), and the targets of relative links. */
function namedPaths(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const quoted = [
    ...text.matchAll(/`((?:proto|ocpp-schemas|gateway|control-plane|local|loadtest|docs)\/[^`\s]*)`/g),
  ].map((match) => match[1] as string);
  const linked = [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#]+)/g)].map((match) =>
    join(dirname(file), match[1] as string),
  );
  // A pattern (`*`, `<…>`) names no single file.
  return [...quoted.filter((path) => !/[*<{]/.test(path)).map((path) => join(FOLDERS.root, path)), ...linked];
}

describe("the documents name files that exist", () => {
  test.each(markdownBelow(FOLDERS.root).map((file) => [file.slice(FOLDERS.root.length + 1), file]))("%s", (_, file) => {
    expect(namedPaths(file).filter((path) => !existsSync(path))).toEqual([]);
  });
});

test("the commands that the documents name exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(FOLDERS.root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const named = markdownBelow(FOLDERS.root).flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/npm run (?:-s )?([a-z][a-z0-9:]*)/g)].map((match) => match[1] as string),
  );
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
