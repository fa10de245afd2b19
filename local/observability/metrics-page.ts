import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import { metricsOfProcesses, PROCESSES, type MetricFacts, type ProcessName } from "./process-metrics.ts";

export const METRICS_PAGE = join(FOLDERS.root, "docs", "metrics.md");

const HEAD = `# Metrics

Made from the code by \`npm run generate:documents\`: every metric of every process, as \`/metrics\` on its internal port tells
it (\`INTERNAL_PORT\`, 9100 in the chart). Labels are closed sets: none names a charge point, an organisation or an address. A
histogram has \`_bucket\`, \`_sum\` and \`_count\`. What the jobs processes tell of the whole deployment (\`dynamo_…\`) each of
them tells alike: take the maximum, never the sum.

Dashboards: \`charts/dynamo-csms/dashboards\`. Alerts: [runbooks/alerts.yaml](runbooks/alerts.yaml).
`;

/** docs/metrics.md, whole. */
export async function metricsPage(): Promise<string> {
  const metrics = await metricsOfProcesses();
  const everywhere = metrics.gateway.filter(({ name }) => PROCESSES.every((process) => has(metrics[process], name)));
  const sections = PROCESSES.map((process) => [
    `## ${process}`,
    tableOf(metrics[process].filter(({ name }) => !has(everywhere, name))),
  ]);
  return [HEAD, "## Every process", "", tableOf(everywhere), "", sections.map((part) => part.join("\n\n")).join("\n\n")]
    .join("\n")
    .concat("\n");
}

/** What the page says of one process: names, each with its type, those of every process among them. */
export function typesOnPage(page: string, process: ProcessName): Map<string, string> {
  const types = new Map<string, string>();
  for (const section of page.split(/^## /m).slice(1)) {
    const [title = ""] = section.split("\n");
    if (title !== "Every process" && title !== process) continue;
    for (const [, name = "", type = ""] of section.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)) types.set(name, type);
  }
  return types;
}

const has = (metrics: readonly MetricFacts[], name: string) => metrics.some((metric) => metric.name === name);

function tableOf(metrics: readonly MetricFacts[]): string {
  const rows = metrics.map(({ name, type, help, labels }) => {
    const meaning = help.replaceAll("|", "\\|").replace(/\.$/, "");
    const cells = [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(", "),
      unitOf(name),
      meaning.charAt(0).toUpperCase() + meaning.slice(1),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return ["| name | type | labels | unit | what it means |", "|---|---|---|---|---|", ...rows].join("\n");
}

function unitOf(name: string): string {
  const word = /(?:^|_)(seconds|bytes|ratio)(?:_total)?$/.exec(name)?.[1];
  return word ?? "";
}
