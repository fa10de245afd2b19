import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { DASHBOARDS_FOLDER, dashboardFiles } from "./dashboard-files.ts";
import { DASHBOARDS } from "./dashboards.ts";
import { METRICS_PAGE, metricsPage } from "./metrics-page.ts";
import { mistakesOfLabels, namesIn } from "./metrics-in-promql.ts";
import { metricsOfProcesses } from "./process-metrics.ts";

const metrics = Object.values(await metricsOfProcesses()).flat();
const known = new Map(metrics.map((metric) => [metric.name, metric]));
const queries = DASHBOARDS.flatMap(({ panels }) => panels.flatMap((panel) => panel.queries));
const runbooks = join(FOLDERS.root, "docs", "runbooks");
const rules = readFileSync(join(runbooks, "alerts.yaml"), "utf8");

test("docs/metrics.md is what the code says (npm run generate:documents)", async () => {
  expect(readFileSync(METRICS_PAGE, "utf8")).toBe(await metricsPage());
});

test("the chart's dashboards are what dashboards.ts says (npm run generate:documents)", () => {
  const files = dashboardFiles();
  expect(readdirSync(DASHBOARDS_FOLDER).toSorted()).toEqual(files.map(({ path }) => basename(path)).toSorted());
  for (const { path, text } of files) expect(readFileSync(path, "utf8")).toBe(text);
});

test("every query of a dashboard names metrics that exist, with labels that they have", () => {
  for (const { expr } of queries) {
    expect(namesIn(expr).length, expr).toBeGreaterThan(0);
    expect(mistakesOfLabels(expr, known), expr).toEqual([]);
  }
});

test("every alert names metrics that exist, with labels that they have", () => {
  const expressions = [...rules.matchAll(/expr: >-\n\s+(.+)/g)].map(([, expr]) => expr ?? "");
  expect(expressions.length).toBeGreaterThan(30);
  for (const expr of expressions) expect(mistakesOfLabels(expr, known), expr).toEqual([]);
});

test("a metric that does not exist, and a label that it does not have, are seen", () => {
  expect(mistakesOfLabels("rate(ocpp_nothing_total[5m])", known)).toEqual(["ocpp_nothing_total is no metric"]);
  expect(mistakesOfLabels('ocpp_connections{station="a"}', known)).toEqual(["ocpp_connections has no label station"]);
});

test("no two processes tell a metric differently, and each has its meaning and a name by convention", () => {
  for (const { name, type, help, labels } of metrics) {
    expect(known.get(name)).toEqual({ name, type, help, labels });
    expect(help).toMatch(/\w/);
    // prom-client's own have theirs.
    if (/^(nodejs|process)_/.test(name)) continue;
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    expect(labels).not.toContain("station");
  }
});
