// A real Prometheus beside real processes: what they tell, what dashboards and alerts make of it, and alerts that fire when
// something is broken.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { DASHBOARDS } from "../observability/dashboards.ts";
import { METRICS_PAGE, typesOnPage } from "../observability/metrics-page.ts";
import { namesIn } from "../observability/metrics-in-promql.ts";
import { checkRules, startPrometheus, type PrometheusServer } from "../observability/prometheus-server.ts";
import { quickRules } from "../observability/quick-rules.ts";
import { startCluster, type Cluster, type ProgramName } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { internalPortOf } from "./gateway-metrics.ts";
import { askRaw, connectRaw, type RawStation } from "./raw-station.ts";

const PROCESS_OF = {
  gateway1: "gateway",
  gateway2: "gateway",
  decisions: "decisions",
  intake: "intake",
  jobs: "jobs",
  api: "api",
} as const satisfies Record<ProgramName, string>;
const PROGRAMS = Object.keys(PROCESS_OF) as ProgramName[];
const RULES_FILE = join(FOLDERS.root, "docs", "runbooks", "alerts.yaml");
const RULES = readFileSync(RULES_FILE, "utf8");
const BOOT = '[2,"boot","BootNotification",{"chargePointVendor":"Vendor","chargePointModel":"Model"}]';
const STATUS = '[2,"status","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]';

let cluster: Cluster;
let prometheus: PrometheusServer;
let stations: RawStation[];

beforeAll(async () => {
  cluster = await startCluster();
  const targets = PROGRAMS.map((program) => `127.0.0.1:${internalPortOf(cluster, program)}`);
  prometheus = await startPrometheus(targets, quickRules(RULES));
  // One on the first gateway, three on the second: without the second most are gone.
  const known = await cluster.generateStations(4, "1.6");
  stations = await Promise.all(
    known.map((station, index) => connectRaw(cluster.ocppUrls[index === 0 ? 0 : 1], station, "1.6")),
  );
  for (const station of stations) {
    await askRaw(station, BOOT);
    await askRaw(station, STATUS);
  }
  await fetch(`${cluster.apiUrl}/api/v1/charge-points`, { headers: { authorization: `Bearer ${cluster.apiKey}` } });
});

afterAll(async () => {
  for (const { socket } of stations ?? []) socket.terminate();
  await prometheus?.close();
  await cluster?.close();
});

test.each(PROGRAMS)("%s tells what docs/metrics.md says, no more and no less", async (program) => {
  const response = await fetch(`http://127.0.0.1:${internalPortOf(cluster, program)}/metrics`);
  const told = [...(await response.text()).matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => [name, type]);
  const written = typesOnPage(readFileSync(METRICS_PAGE, "utf8"), PROCESS_OF[program]);
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(written));
});

test("promtool finds nothing wrong with the alerts", async () => {
  const rules = RULES.split("- alert:").length - 1;
  expect(await checkRules(RULES_FILE)).toContain(`SUCCESS: ${rules} rules found`);
});

test("every query of every dashboard parses, and gives data where there always is some", async () => {
  const queries = DASHBOARDS.flatMap(({ name, panels }) =>
    panels.flatMap(({ title, queries: own }) => own.map((one) => ({ ...one, where: `${name}: ${title}` }))),
  );
  const empty = async () => {
    const results = await Promise.all(
      queries.map(async ({ expr, where, onlyWhenItHappened }) => {
        const found = await prometheus.query(expr.replaceAll("$__rate_interval", "30s"));
        return found.length > 0 || onlyWhenItHappened ? [] : [`${where}: ${expr}`];
      }),
    );
    return results.flat();
  };
  let without: string[] = [];
  await eventually("data for every query", async () => (without = await empty()).length === 0).catch((cause) => {
    throw new Error(`${(cause as Error).message}:\n${without.join("\n")}`);
  });
  expect(queries.length).toBeGreaterThan(60);
});

test("every alert is loaded and asks for metrics that some process tells", async () => {
  const told = await prometheus.metricNames();
  const asked = [...RULES.matchAll(/expr: >-\n\s+(.+)/g)].flatMap(([, expr]) => namesIn(expr ?? ""));
  const unknown = asked.filter((name) => !told.has(name) && !told.has(name.replace(/_(bucket|sum|count)$/, "")));
  expect(unknown).toEqual([]);
});

test("alerts fire when their fault is there, and not before", async () => {
  const alerts = [
    "ConnectionsDropped",
    "LaneUnheld",
    "LaneLag",
    "PostgresAway",
    "RedisAway",
    "ProcessNotReady",
    "ProcessAbsent",
  ];
  const fires = (name: string) => eventually(name, async () => (await prometheus.firing()).has(name));
  const before = await prometheus.firing();
  expect(alerts.filter((name) => before.has(name))).toEqual([]);

  // Most charge points are gone with their gateway, which does not say goodbye.
  await cluster.kill("gateway2");
  await fires("ConnectionsDropped");

  // Messages are answered, and nobody files them.
  await cluster.kill("intake");
  await askRaw(stations[0] as RawStation, STATUS);
  await fires("ProcessAbsent");
  await fires("LaneUnheld");
  await fires("LaneLag");

  await cluster.postgres.kill();
  await fires("PostgresAway");
  await fires("ProcessNotReady");
  expect((await prometheus.firing()).has("RedisAway")).toBe(false);

  await cluster.postgres.restart();
  await eventually("Postgres is back", async () => !(await prometheus.firing()).has("PostgresAway"));
});
