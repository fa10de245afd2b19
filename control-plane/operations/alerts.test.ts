// docs/runbooks against the code: every alert has its page, every page its alert, and every metric that they name is there.
import { readdirSync, readFileSync } from "node:fs";
import { tellBuild } from "@dynamo-csms/proto/process/build-metric";
import { tellCertificates } from "@dynamo-csms/proto/process/certificate-metric";
import { startInternalServer } from "@dynamo-csms/proto/process/internal-server";
import { collectDefaultMetrics, Registry } from "prom-client";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { createDecisionsMetrics } from "../decisions/decisions-metrics.ts";
import { createHttpMetrics } from "../http/http-metrics.ts";
import { createIntakeMetrics } from "../intake/intake-metrics.ts";
import { createJobMetrics } from "../jobs/job-metrics.ts";
import { createMailMetrics } from "../mail/mail-metrics.ts";
import { createWebhookMetrics } from "../webhooks/webhook-metrics.ts";
import { createBacklogMetrics } from "./backlog-metrics.ts";
import { tellPools } from "./pool-metrics.ts";

const FOLDER = new URL("../../docs/runbooks/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, FOLDER), "utf8");
const PAGES = readdirSync(FOLDER).filter((name) => name.endsWith(".md") && name !== "README.md");

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}
const { groups } = parse(read("alerts.yaml")) as { groups: { name: string; rules: Rule[] }[] };
const RULES = groups.flatMap(({ rules }) => rules);

/** All metrics of the control plane's processes, registered as they register them. */
async function registered(): Promise<Map<string, readonly string[]>> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  createIntakeMetrics(registry, () => []);
  createJobMetrics(registry);
  createBacklogMetrics(registry);
  tellPools(registry, {});
  createWebhookMetrics(registry);
  createMailMetrics(registry);
  createDecisionsMetrics(registry, () => 0);
  createHttpMetrics(registry);
  tellCertificates(registry, {});
  tellBuild(registry, { process: "api", version: "test" });
  const internal = await startInternalServer({ port: 0, host: "127.0.0.1", checks: {}, registry });
  await internal.close();
  return new Map(
    registry.getMetricsAsArray().map((metric) => {
      const { name, labelNames = [] } = metric as unknown as { name: string; labelNames?: string[] };
      return [name, labelNames] as const;
    }),
  );
}

/** What a histogram has beside its name. */
const baseName = (name: string) => name.replace(/_(bucket|sum|count)$/, "");
/** The gateway's own; its tests hold them. */
const isGateways = (name: string) => name.startsWith("ocpp_");
/** Every name that looks like one of a metric of ours. */
const metricsIn = (text: string) =>
  [...text.matchAll(/\b(?:dynamo|intake|decisions|http|nodejs|process|ocpp)_[a-z0-9_]+\b/g)].map(([name]) => name);

test("every alert has a page, a severity, a summary and an expression, and a name of its own", () => {
  expect(RULES.length).toBeGreaterThan(25);
  expect(new Set(RULES.map(({ alert }) => alert)).size).toBe(RULES.length);
  for (const rule of RULES) {
    const page = rule.alert.replaceAll(/(?<!^)([A-Z])/g, "-$1").toLowerCase();
    expect(rule).toEqual({
      alert: expect.stringMatching(/^[A-Z][A-Za-z]+$/),
      expr: expect.stringMatching(/[<>=]|absent/),
      ...(rule.for === undefined ? {} : { for: expect.stringMatching(/^\d+[smh]$/) }),
      labels: { severity: expect.stringMatching(/^(critical|warning)$/) },
      annotations: { summary: expect.stringMatching(/\w/), runbook: `docs/runbooks/${page}.md` },
    });
  }
  expect(PAGES.toSorted()).toEqual(
    RULES.map(({ annotations }) => annotations.runbook.split("/").at(-1) ?? "").toSorted(),
  );
});

test("every page says what it means, who is hurt, how to see it, what to do and what not, and how it ends", () => {
  for (const name of PAGES) {
    const page = read(name);
    const headings = [...page.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    expect({ name, headings }).toEqual({
      name,
      headings: ["What it means", "Who is hurt", "See for yourself", "What to do", "What not to do", "How it ends"],
    });
    const rule = RULES.find(({ annotations }) => annotations.runbook.endsWith(`/${name}`));
    expect(page).toContain(`\`${rule?.alert}\`, ${rule?.labels.severity}`);
    expect(read("README.md")).toContain(`| \`${rule?.alert}\` |`);
  }
});

test("every metric that an alert or a page names is one of the control plane's, with the labels that are asked for", async () => {
  const metrics = await registered();
  const named = [...RULES.map(({ expr }) => expr), ...PAGES.map(read)]
    .flatMap(metricsIn)
    .filter((name) => !isGateways(name));
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !metrics.has(name) && !metrics.has(baseName(name)))).toEqual([]);
  for (const { expr } of RULES)
    for (const [, name = "", matchers = ""] of expr.matchAll(/\b([a-z_]+)\{([^}]*)\}/g)) {
      if (isGateways(name)) continue;
      const labels = [...matchers.matchAll(/(\w+)\s*(?:=|!=|=~|!~)\s*"/g)].map((match) => match[1] as string);
      expect(metrics.get(name) ?? metrics.get(baseName(name)), name).toEqual(expect.arrayContaining(labels));
    }
});

test("an expression is balanced, and uses no function that Prometheus does not have", () => {
  const known = new Set([
    "max",
    "min",
    "sum",
    "by",
    "rate",
    "increase",
    "delta",
    "absent",
    "time",
    "abs",
    "histogram_quantile",
    "max_over_time",
  ]);
  for (const { alert, expr } of RULES) {
    for (const [open, close] of [
      ["(", ")"],
      ["{", "}"],
      ["[", "]"],
    ] as const)
      expect({ alert, n: expr.split(open).length }).toEqual({ alert, n: expr.split(close).length });
    const functions = [...expr.matchAll(/\b([a-z_]+)\s*\(/g)].map((match) => match[1] as string);
    expect({ alert, unknown: functions.filter((name) => !known.has(name) && name !== "or") }).toEqual({
      alert,
      unknown: [],
    });
  }
});
