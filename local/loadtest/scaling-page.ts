import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import type { Report } from "./report.ts";
import { scalingTable } from "./scaling-table.ts";

const SIZES = [10_000, 100_000, 1_000_000];
const BEGIN = "<!-- table: made by npm run generate:documents from loadtest/results -->";
const END = "<!-- end of table -->";

/** The gateways' defaults (docs/configuration.md). */
const PING_SECONDS = 25;
const HANDSHAKES_PER_SECOND = 500;

export const SCALING_PAGE = join(FOLDERS.root, "docs", "scaling.md");

/** The page with its table as the published runs give it. */
export function scalingPage(page: string): string {
  const calm = published("steady");
  const busy = published("commands");
  if (calm === undefined || busy === undefined) return page;
  const load = calm.phases.find(({ name }) => name === "load");
  const stations = Object.values(calm.stations).reduce((sum, count) => sum + count, 0);
  const table = scalingTable(SIZES, {
    calm,
    busy,
    messagesPerStation: (load?.perSecond ?? 0) / stations,
    pingSeconds: PING_SECONDS,
    handshakesPerSecond: HANDSHAKES_PER_SECOND,
  });
  const [before = "", rest = ""] = page.split(BEGIN);
  const [, after = ""] = rest.split(END);
  return `${before}${BEGIN}\n${table}\n${END}${after}`;
}

function published(scenario: string): Report | undefined {
  const file = join(FOLDERS.root, "loadtest", "results", `${scenario}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Report) : undefined;
}
