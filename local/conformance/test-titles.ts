import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ALL_FAULTS } from "../faults/catalogue/faults-for.ts";
import { FOLDERS } from "../folders.ts";

/** A test of the repository, by what it says it shows. */
export interface TestTitle {
  /** Of the test file, from the root of the repository. */
  file: string;
  title: string;
  /** The rules in brackets at the beginning of the title. */
  ids: string[];
}

const WORKSPACES = ["proto", "ocpp-schemas", "gateway", "control-plane", "local"];
const SKIPPED = /(^|\/)(node_modules|dist|generated)(\/|$)/;

/**
 * The titles that begin with a rule in brackets, `"[H7] …"` or `[C13] [1.6-start] …`: in the order of files and lines. Read as
 * text, so that a document can be made of them without running anything.
 */
export function readTestTitles(): TestTitle[] {
  return WORKSPACES.flatMap((workspace) =>
    readdirSync(join(FOLDERS.root, workspace), { recursive: true, encoding: "utf8" })
      .map((name) => `${workspace}/${name.replaceAll("\\", "/")}`)
      .filter((file) => file.endsWith(".test.ts") && !SKIPPED.test(file))
      .sort()
      .flatMap((file) => titlesIn(readFileSync(join(FOLDERS.root, file), "utf8")).map((title) => ({ file, ...title }))),
  );
}

/** A text of the source that begins with rules in brackets: nothing but a title does. */
const TITLE = /(["'`])((?:\[(?:[A-FHI]\d+|1\.\d[.-][\w-]+)\] ?)+)((?:\\.|(?!\1)[^\\])+)\1/g;

/** The same of one file's text. Exported for its test. */
export function titlesIn(source: string): Omit<TestTitle, "file">[] {
  return [...source.matchAll(TITLE)].map(([, , ids = "", rest = ""]) => ({
    ids: [...ids.matchAll(/\[([\w.-]+)\]/g)].map(([, id]) => id as string),
    title: `${ids}${rest}`.replaceAll(/\\(["'`])/g, "$1").replaceAll(/\s+/g, " "),
  }));
}

/** The decision records that say why a rule is kept otherwise, or not: rule → files. They name it in backticks. */
export function readAdrMentions(ids: readonly string[]): ReadonlyMap<string, string[]> {
  const folder = join(FOLDERS.root, "docs", "adr");
  const mentions = new Map<string, string[]>();
  for (const name of readdirSync(folder).sort()) {
    const text = readFileSync(join(folder, name), "utf8");
    for (const id of ids)
      if (text.includes(`\`${id}\``)) mentions.set(id, [...(mentions.get(id) ?? []), `docs/adr/${name}`]);
  }
  return mentions;
}

/** The faults that `npm run test:faults` plays: "A6-power" is one way in which A6 is shown. */
export function readPlayedFaults(): { id: string; title: string }[] {
  return ALL_FAULTS.map(({ id, title }) => ({ id: id.replace(/-.*/, ""), title }));
}
