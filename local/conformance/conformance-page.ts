import { RULES } from "./rules.ts";
import { readAdrMentions, readTestTitles } from "./test-titles.ts";

const HEAD = `# Conformance

What this gateway is held to, rule by rule, and the tests that show it. The page is made by \`npm run generate:documents\` from
\`local/conformance/rules.ts\` and the titles of the tests; a test fails while it is not up to date.

The ids are ours. H is the handshake, F the framing, C and D what hostile or clumsy stations do; the others begin with the part of
OCPP-J that they are about: 1.2 passwords, 1.3 error codes, 1.4 registration, 1.5 liveness and sizes, 1.6 transactions, 1.7
connections that meet, 1.8 certificates and profiles.

Beside them \`npm run conformance\` plays every action of every version in both directions over the wire, and compares what comes
back with the files in \`local/conformance/golden/\`; \`ocpp-rpc\`, \`ocpp-ws-cli\` and \`typed-ocpp\`, which others wrote, look on.
`;

/** The text of docs/conformance.md, as the repository is now. */
export function conformancePage(): string {
  const titles = readTestTitles();
  const adrs = readAdrMentions(RULES.map(({ id }) => id));
  const sections = RULES.map(({ id, rule }) => {
    const shown = titles.filter(({ ids }) => ids.includes(id));
    const reasons = (adrs.get(id) ?? []).map((file) => `- why so: [${file}](${file.replace("docs/", "")})`);
    const tests = shown.map(({ file, title }) => `- ${withoutIds(title)} (\`${file}\`)`);
    return [`## ${id}`, "", `${rule}.`, "", ...tests, ...reasons].join("\n");
  });
  return `${HEAD}\n${sections.join("\n\n")}\n`;
}

/** Titles may hold what Markdown takes for markup. */
const withoutIds = (title: string): string =>
  title.replace(/^(\[[\w.-]+\] ?)+/, "").replaceAll(/[<>*_|\\`]/g, (sign) => `\\${sign}`);
