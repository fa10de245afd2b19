import { expect, test } from "vitest";
import { readK6Lines } from "./k6-lines.ts";
import { htmlOf } from "./report-html.ts";
import { markdownOf } from "./report-markdown.ts";
import { makeReport, type RunFacts } from "./report.ts";
import type { Sample } from "./watch-system.ts";

const facts: RunFacts = {
  scenario: "steady",
  command: "npm run loadtest -- steady <&>",
  startedAt: "2026-05-01T10:00:00.000Z",
  machine: "2 × CPU",
  versions: "k6 v2",
  stations: { "1.6": 1_500 },
  gateways: 2,
  intakes: 1,
  rate: 500,
  durationSeconds: 60,
};
const trend = (count: number) => ({ values: { count, med: 1.5, "p(95)": 12, "p(99)": 30, max: 99, avg: 2 } });
const metrics = {
  "ocpp_call_duration{phase:connect}": trend(3_000),
  "ocpp_call_duration{phase:load}": trend(30_000),
  "ocpp_call_duration{phase:load,action:Heartbeat,version:1.6}": {
    ...trend(12_000),
    thresholds: { "p(95)<250": { ok: true }, "p(99)<10": { ok: false } },
  },
  ocpp_call_errors: { values: { rate: 0.0002, passes: 6, fails: 29_994 } },
};
const phases = [
  { phase: "connect", atMs: 0 },
  { phase: "load", atMs: 10_000 },
  { phase: "end", atMs: 70_000 },
];
const samples: Sample[] = Array.from({ length: 40 }, (_, n) => ({
  atMs: n * 2_000,
  // It was started anew in the middle.
  usage: { "gateway-1": { cpuSeconds: n < 20 ? n : n - 20, residentBytes: 90 * 2 ** 20 } },
  connections: Math.min(1_500, n * 300),
  entriesBehind: 0,
  lagSeconds: 0.25,
}));
const ledger = {
  answered: 33_000,
  found: 21_000,
  byAction: {},
  transactions: { started: 40, ended: 30 },
  commands: 0,
  breaches: [],
};
const STORED = { database: 33_000 * 500, wal: 33_000 * 700 };
const run = { exitCode: 99, metrics, ledgers: [], phases, commands: [], trails: [] };

test("a report holds rates, latencies, what processes cost, and every limit that was missed", () => {
  const report = makeReport(facts, run, samples, ledger, ["a gateway did not come back"], STORED);
  expect(report.breaches).toEqual([
    expect.stringContaining("ocpp_call_duration{phase:load,action:Heartbeat,version:1.6} misses p(99)<10"),
    "a gateway did not come back",
  ]);
  expect(report.phases.map(({ name, perSecond }) => [name, perSecond])).toEqual([
    ["connect", 300],
    ["load", 500],
  ]);
  expect(report.mostConnections).toBe(1_500);
  // From 16 s on 28 looks two seconds apart, a second of CPU between each two of them, none across the start.
  expect(report.processes[0]?.cores).toBeCloseTo(26 / 54, 5);
  expect(report.processes[0]?.cpuMicrosecondsPerMessage).toBeCloseTo((26 / 54 / 500) * 1e6, 5);
  // Five looks while it connected: four seconds for 1,500 stations.
  expect(report.processes[0]?.cpuMicrosecondsPerConnect).toBeCloseTo(3_333, -1);
  expect(report.lagSeconds).toEqual({ looks: [0.25, 0.25, 0.25], most: 0.25 });
});

test("k6 that ended in another way is a breach of its own", () => {
  const { breaches } = makeReport(facts, { ...run, metrics: {}, exitCode: 107 }, samples, ledger, [], STORED);
  expect(breaches).toEqual(["k6 ended with 107"]);
  expect(makeReport(facts, { ...run, metrics: {}, exitCode: 0 }, samples, ledger, [], STORED).breaches).toEqual([]);
});

test("a fleet that was never whole is a breach: nothing can be missing of what was never sent", () => {
  const { breaches } = makeReport(facts, { ...run, metrics: {}, exitCode: 0 }, samples.slice(0, 3), ledger, [], STORED);
  expect(breaches).toEqual(["only 600 of 1500 stations were connected at once"]);
});

test("as Markdown it says where it was measured and what the ledger says", () => {
  const text = markdownOf(makeReport(facts, { ...run, exitCode: 0 }, samples, ledger, [], STORED));
  expect(text).toContain("# steady: FAILED");
  expect(text).toContain("1,500 stations of OCPP 1.6; 500 messages a second wished for");
  expect(text).toContain("| load | 60 | 500 | 1.5 | 12 | 30 | 99 |");
  expect(text).toContain("Postgres grew by 500 and wrote 700");
  expect(text).toContain("33,000 messages were answered (0.020 % were not)");
});

test("as HTML it fetches nothing, and what was typed stays text", () => {
  const html = htmlOf(makeReport(facts, run, samples, ledger, [], STORED));
  expect(html).not.toMatch(/(src|href)=|https?:|<script|@import|url\(/);
  expect(html).toContain("steady &lt;&amp;&gt;");
  expect(html.match(/<svg/g)).toHaveLength(4);
  expect(html).not.toContain("NaN");
});

test("the lines of k6's console are sorted, and what is none of ours is left out", () => {
  const lines = [
    '{"phase":"load","atMs":5}',
    '{"station":"cp_1","numbered":3}',
    '{"command":"cmd_1"}',
    '{"trail":["0","accepted"],"seconds":1}',
    "noise",
    "",
  ];
  expect(readK6Lines(lines)).toEqual({
    ledgers: [{ station: "cp_1", numbered: 3 }],
    phases: [{ phase: "load", atMs: 5 }],
    commands: ["cmd_1"],
    trails: [{ trail: ["0", "accepted"], seconds: 1 }],
  });
});
