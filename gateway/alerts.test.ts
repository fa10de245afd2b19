// The alerts on gateways against their metrics: a name or a label that changed would make an alert silent for ever.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createMetrics } from "./metrics.ts";

const FOLDER = new URL("../docs/runbooks/", import.meta.url);
const ALERTS = readFileSync(new URL("alerts.yaml", FOLDER), "utf8");
const PAGES = readdirSync(FOLDER).map((name) => readFileSync(new URL(name, FOLDER), "utf8"));

const baseName = (name: string) => name.replace(/_(bucket|sum|count)$/, "");

test("every metric of gateways that an alert or a page names is there, with the labels that are asked for", () => {
  const { registry } = createMetrics({ version: "test", nodeId: "test" });
  const metrics = new Map(
    registry.getMetricsAsArray().map((metric) => {
      const { name, labelNames = [] } = metric as unknown as { name: string; labelNames?: string[] };
      return [name, labelNames] as const;
    }),
  );
  const named = PAGES.flatMap((text) => [...text.matchAll(/\bocpp_[a-z0-9_]+\b/g)].map(([name]) => name));
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((name) => !metrics.has(name) && !metrics.has(baseName(name)))).toEqual([]);
  for (const [, name = "", matchers = ""] of ALERTS.matchAll(/\b(ocpp_[a-z_]+)\{([^}]*)\}/g)) {
    const labels = [...matchers.matchAll(/(\w+)\s*(?:=|!=|=~|!~)\s*"/g)].map((match) => match[1] as string);
    expect(metrics.get(name) ?? metrics.get(baseName(name)), name).toEqual(expect.arrayContaining(labels));
  }
});

test("every reason of a refused handshake that an alert looks for is one that gateways give", () => {
  const source = readFileSync(new URL("sockets/refusals.ts", import.meta.url), "utf8");
  const given = new Set([...source.matchAll(/^ {2}\| "([a-z-]+)"/gm)].map((match) => match[1]));
  const wanted = [...ALERTS.matchAll(/handshake_rejected_total\{reason=~"([^"]+)"/g)].flatMap((match) =>
    (match[1] as string).split("|"),
  );
  expect(wanted.length).toBeGreaterThan(5);
  expect(wanted.filter((reason) => !given.has(reason))).toEqual([]);
});
