import type { Catalogue } from "./catalogues.ts";
import { readAdrMentions, readPlayedFaults, readTestTitles } from "./test-titles.ts";

/** The text of a catalogue's page, as the repository is now. */
export function cataloguePage({ head, rules }: Catalogue): string {
  const titles = readTestTitles();
  const played = readPlayedFaults();
  const adrs = readAdrMentions(rules.map(({ id }) => id));
  const sections = rules.map(({ id, rule }) => {
    const shown = titles.filter(({ ids }) => ids.includes(id));
    const reasons = (adrs.get(id) ?? []).map((file) => `- why so: [${file}](${file.replace("docs/", "")})`);
    const tests = shown.map(({ file, title }) => `- ${withoutIds(title)} (\`${file}\`)`);
    const plays = played.filter((fault) => fault.id === id).map(({ title }) => `- played: ${title}`);
    return [`## ${id}`, "", `${rule}.`, "", ...plays, ...tests, ...reasons].join("\n");
  });
  return `${head}\n${sections.join("\n\n")}\n`;
}

/** Titles may hold what Markdown takes for markup. */
const withoutIds = (title: string): string =>
  title.replace(/^(\[[\w.-]+\] ?)+/, "").replaceAll(/[<>*_|\\`]/g, (sign) => `\\${sign}`);
