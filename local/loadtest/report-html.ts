import { markdownOf } from "./report-markdown.ts";
import type { Report } from "./report.ts";

interface Line {
  name: string;
  points: { x: number; y: number }[];
}

const WIDTH = 720;
const HEIGHT = 200;
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"];

/** The report as one file that asks nothing of a network: the page of `markdownOf`, with what was watched drawn over time. */
export function htmlOf(report: Report): string {
  const { samples } = report;
  const beganMs = samples[0]?.atMs ?? 0;
  const x = (atMs: number) => (atMs - beganMs) / 1_000;
  const names = [...new Set(samples.flatMap(({ usage }) => Object.keys(usage)))];
  const charts = [
    chart("Connections", "", [
      { name: "all gateways", points: samples.map(({ atMs, connections }) => ({ x: x(atMs), y: connections })) },
    ]),
    chart(
      "CPU",
      "cores",
      names.map((name) => ({ name, points: coresOf(report, name, x) })),
    ),
    chart(
      "Memory",
      "MiB",
      names.map((name) => ({
        name,
        points: samples.flatMap(({ atMs, usage }) =>
          usage[name] === undefined ? [] : [{ x: x(atMs), y: usage[name].residentBytes / 2 ** 20 }],
        ),
      })),
    ),
    chart("Lag of the intake", "s", [
      {
        name: "oldest frame",
        points: samples.flatMap(({ atMs, lagSeconds }) =>
          lagSeconds === undefined ? [] : [{ x: x(atMs), y: lagSeconds }],
        ),
      },
    ]),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(report.scenario)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .7rem; border-bottom: 1px solid #ccc; text-align: right; }
th:first-child, td:first-child { text-align: left; } svg { display: block; max-width: 100%; } figure { margin: 1.5rem 0; }
figcaption span { margin-right: 1rem; white-space: nowrap; } code { background: #f2f2f2; padding: 0 .2rem; }
</style></head><body>
${pageOf(markdownOf(report))}
${charts.join("\n")}
</body></html>
`;
}

/** Cores in use between one look and the next. */
function coresOf({ samples }: Report, name: string, x: (atMs: number) => number): Line["points"] {
  return samples.slice(1).flatMap((now, at) => {
    const before = samples[at];
    const [from, to] = [before?.usage[name]?.cpuSeconds, now.usage[name]?.cpuSeconds];
    if (before === undefined || from === undefined || to === undefined || to < from) return [];
    return [{ x: x(now.atMs), y: ((to - from) * 1_000) / (now.atMs - before.atMs) }];
  });
}

function chart(title: string, unit: string, lines: readonly Line[]): string {
  const points = lines.flatMap((line) => line.points);
  if (points.length === 0) return "";
  const right = Math.max(1, ...points.map(({ x }) => x));
  const top = Math.max(0.001, ...points.map(({ y }) => y)) * 1.05;
  const place = ({ x, y }: { x: number; y: number }) =>
    `${((x / right) * WIDTH).toFixed(1)},${(HEIGHT - (y / top) * HEIGHT).toFixed(1)}`;
  const drawn = lines.map(
    ({ points: own }, n) =>
      `<polyline fill="none" stroke="${colour(n)}" stroke-width="1.5" points="${own.map(place).join(" ")}"/>`,
  );
  const legend = lines.map(({ name }, n) => `<span style="color:${colour(n)}">${escaped(name)}</span>`);
  return `<figure><figcaption><b>${title}</b>, up to ${Number(top.toPrecision(3))} ${unit}, over ${right.toFixed(0)} s: ${legend.join("")}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}"><rect width="${WIDTH}" height="${HEIGHT}" fill="#fafafa" stroke="#ccc"/>${drawn.join("")}</svg></figure>`;
}

const colour = (n: number): string => COLOURS[n % COLOURS.length] as string;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** As much of Markdown as `markdownOf` writes. */
function pageOf(markdown: string): string {
  return markdown
    .split("\n\n")
    .map((block) => {
      const lines = block.trim().split("\n");
      if (lines[0]?.startsWith("# ")) return `<h1>${inline(lines[0].slice(2))}</h1>`;
      if (lines[0]?.startsWith("- "))
        return `<ul>${lines.map((line) => `<li>${inline(line.slice(2))}</li>`).join("")}</ul>`;
      if (lines[0]?.startsWith("| ")) {
        const row = (line: string, cell: string) =>
          `<tr>${line
            .slice(2, -2)
            .split(" | ")
            .map((text) => `<${cell}>${inline(text)}</${cell}>`)
            .join("")}</tr>`;
        return `<table>${row(lines[0], "th")}${lines
          .slice(2)
          .map((line) => row(line, "td"))
          .join("")}</table>`;
      }
      return block.trim() === "" ? "" : `<p>${inline(block)}</p>`;
    })
    .join("\n");
}

const inline = (text: string): string =>
  escaped(text)
    .replaceAll(/`([^`]+)`/g, "<code>$1</code>")
    .replaceAll(/\*\*([^*]+)\*\*/g, "<b>$1</b>");
