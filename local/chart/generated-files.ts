import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import { CHART } from "./chart-folder.ts";
import { render } from "./manifests.ts";
import { readValues, valuesTable } from "./values-document.ts";

const BEGIN = "<!-- values: generated from values.yaml -->";
const END = "<!-- end of values -->";
/** What differs from run to run: keys and certificates that the chart makes. */
const MADE = /^( {2}[\w.]+: )"[A-Za-z0-9+/=]{40,}"$/gm;

/** A file that is made from others, and what it should hold. */
export interface GeneratedFile {
  path: string;
  text: string;
}

/** What is made of values.yaml alone. Helm renders nothing that values.schema.json does not know. */
export function filesOfValues(): GeneratedFile[] {
  const { values, schema } = readValues(readFileSync(join(CHART, "values.yaml"), "utf8"));
  const readme = readFileSync(join(CHART, "README.md"), "utf8");
  const [head = "", rest = ""] = readme.split(BEGIN);
  const [, tail = ""] = rest.split(END);
  return [
    { path: join(CHART, "values.schema.json"), text: `${JSON.stringify(schema, null, 2)}\n` },
    { path: join(CHART, "README.md"), text: `${head}${BEGIN}\n\n${valuesTable(values)}\n\n${END}${tail}` },
  ];
}

/** Everything in the chart's folder that is made from other files. */
export async function generatedFiles(helm: string): Promise<GeneratedFile[]> {
  const defaults = await render(helm, [join(CHART, "ci", "existing-secrets.yaml")]);
  return [
    ...filesOfValues(),
    {
      path: join(CHART, "files", "alerts.yaml"),
      text: readFileSync(join(FOLDERS.root, "docs", "runbooks", "alerts.yaml"), "utf8"),
    },
    { path: join(CHART, "ci", "defaults.snapshot"), text: defaults.text.replaceAll(MADE, '$1"<made>"') },
  ];
}

/** The first line that differs; undefined where the file is as it should be. */
export function differenceOf({ path, text }: GeneratedFile): string | undefined {
  const found = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (found === text) return undefined;
  const [before, after] = [found.split("\n"), text.split("\n")];
  const line = after.findIndex((wanted, index) => wanted !== before[index]);
  const at = line === -1 ? after.length : line;
  return `line ${at + 1} is ${JSON.stringify(before[at] ?? "")}, want ${JSON.stringify(after[at] ?? "")}`;
}

/** Writes those that differ. Returns their paths. */
export function writeGenerated(files: readonly GeneratedFile[]): string[] {
  const changed = files.filter((file) => differenceOf(file) !== undefined);
  for (const { path, text } of changed) writeFileSync(path, text);
  return changed.map(({ path }) => path);
}
