// Every line of every process says what happened in fixed words, and the facts in fields: lines are counted and found by them.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "./folders.ts";

const SKIPPED = new Set(["node_modules", "dist", "generated", "test"]);
const CALL = /\blog(?:\?\.|\.)(?:trace|debug|info|warn|error|fatal)\(/g;
/** What gets its words from its callers, each of which is a call of it with fixed words: checked below. */
const WRAPPERS: Record<string, RegExp> = { "gateway/inbound/receive-frame.ts": /\bwarn\((?=session, \{)/g };

interface Call {
  file: string;
  args: string[];
}

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (SKIPPED.has(name)) return [];
    if (statSync(path).isDirectory()) return sourcesBelow(path);
    return /(?<!\.test|\.d)\.ts$/.test(name) ? [path] : [];
  });
}

/** The arguments of the call whose parenthesis opens before `from`, as they are written. */
function argumentsFrom(text: string, from: number): string[] {
  const args: string[] = [];
  let depth = 0;
  let begin = from;
  for (let at = from; at < text.length; at += 1) {
    const each = text[at] as string;
    if (each === '"' || each === "`" || each === "'") {
      for (at += 1; text[at] !== each; at += 1) if (text[at] === "\\") at += 1;
    } else if ("([{".includes(each)) depth += 1;
    else if (depth > 0 && ")]}".includes(each)) depth -= 1;
    else if (depth === 0 && (each === "," || each === ")")) {
      const arg = text.slice(begin, at).trim();
      if (arg !== "") args.push(arg);
      begin = at + 1;
      if (each === ")") return args;
    }
  }
  throw new Error("a call without an end");
}

function callsIn(file: string, pattern: RegExp): Call[] {
  const text = readFileSync(join(FOLDERS.root, file), "utf8");
  return [...text.matchAll(pattern)].map((match) => ({
    file,
    args: argumentsFrom(text, match.index + match[0].length),
  }));
}

const files = ["gateway", "control-plane", "proto"]
  .flatMap((name) => sourcesBelow(join(FOLDERS.root, name)))
  .map((path) => path.slice(FOLDERS.root.length + 1));
const wrapped = Object.entries(WRAPPERS).flatMap(([file, pattern]) => callsIn(file, pattern));
const calls = files.flatMap((file) =>
  callsIn(file, CALL).filter(({ args }) => !(file in WRAPPERS && args.join() === "facts,event")),
);

test("each call that logs has fixed words as its event", () => {
  expect(calls.length).toBeGreaterThan(100);
  expect(wrapped.length).toBeGreaterThan(4);
  // One of two fixed words is fixed: `ready ? "…" : "…"`.
  const isFixed = (arg: string) => /^(?:[^"`]*\? )?"[^"\\]+"(?: : "[^"\\]+")?$/.test(arg);
  const odd = [...calls, ...wrapped].filter(({ args }) => !isFixed(args.at(-1) ?? ""));
  expect(odd.map(({ file, args }) => `${file}: ${args.at(-1)}`)).toEqual([]);
});

test("facts have one name everywhere", () => {
  const others = /\b(chargePointId|charge_point_id|stationId|identity|nodeId|node_id|traceId|requestId)\b(?=[,:\s}])/;
  const odd = calls.flatMap(({ file, args: [facts = ""] }) => {
    const shorthand = others.exec(facts.replaceAll(/: [^,{}]+/g, ":"))?.[1];
    return shorthand === undefined ? [] : [`${file}: ${shorthand}`];
  });
  expect(odd).toEqual([]);
});
