import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Command } from "./cli-command.ts";
import { defineCommand } from "./cli-command.ts";
import { CliMistake, ServerAway } from "./cli-mistake.ts";
import { COMMANDS } from "./commands.ts";
import { parseCommand } from "./parse-command.ts";
import { runCli } from "./run-cli.ts";

/** As a shell splits a line with simple quotes. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain ?? "");

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const SKIPPED = new Set(["node_modules", ".git", ".local", "dist", "generated"]);

const markdownBelow = (folder: string): string[] =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (SKIPPED.has(name)) return [];
    return statSync(path).isDirectory() ? markdownBelow(path) : name.endsWith(".md") ? [path] : [];
  });

/** What stands behind `npm run cli --` in a text, up to the end of the line or of the backticks. */
const callsIn = (text: string): string[] =>
  [...text.matchAll(/npm run (?:-s )?cli -- ([^`\n]*)/g)]
    .map((match) => (match[1] as string).trim())
    .filter((line) => line !== "…");

async function run(
  line: string | string[],
  commands: readonly Command[] = COMMANDS,
  { isTTY = false, env = {} }: { isTTY?: boolean; env?: Record<string, string> } = {},
) {
  const told = { stdout: "", stderr: "" };
  const into = (name: keyof typeof told) => ({ isTTY, write: (text: string) => void (told[name] += text) });
  const exitCode = await runCli(typeof line === "string" ? wordsOf(line) : line, commands, {
    env,
    readFile: (path) => readFileSync(path, "utf8"),
    stdout: into("stdout"),
    stderr: into("stderr"),
    signal: new AbortController().signal,
  });
  return { exitCode, ...told };
}

/** A command that prints these rows, or throws this. */
const double = (rows: object[], { columns, fault }: { columns?: string[]; fault?: unknown } = {}) => [
  defineCommand({
    name: "double show",
    summary: "Shows.",
    flags: { id: { value: "ID", required: true, help: "which" }, all: { help: "all" } },
    examples: ["double show --id 1"],
    ...(columns && { columns }),
    reads: true,
    async run(_, io) {
      rows.forEach((row) => io.print(row));
      if (fault !== undefined) throw fault;
    },
  }),
];

describe("every command", () => {
  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    "%s has a page with an example that it understands",
    async (name, command) => {
      const { exitCode, stdout, stderr } = await run(`${name} --help`);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(command.examples).not.toEqual([]);
      for (const example of command.examples) {
        expect(stdout).toContain(`npm run -s cli -- ${example}`);
        expect(parseCommand(wordsOf(example), COMMANDS)).toMatchObject({ kind: "run", command: { name } });
      }
      for (const flag of Object.keys(command.flags)) expect(stdout).toContain(`--${flag}`);
    },
  );

  test("has its examples in docs/cli.md, and no example there is unknown", () => {
    const documented = callsIn(readFileSync(join(ROOT, "docs/cli.md"), "utf8"));
    for (const { examples } of COMMANDS) for (const example of examples) expect(documented).toContain(example);
  });
});

test("every call of the command line in the documents is one that it understands", () => {
  const broken = markdownBelow(ROOT).flatMap((file) =>
    callsIn(readFileSync(file, "utf8")).flatMap((line) => {
      try {
        // A command may be named without its flags. What follows a pipe or && is the shell's.
        if (COMMANDS.some(({ name }) => name === line)) return [];
        const parsed = parseCommand(wordsOf(line.split(/ [|&>]/)[0] as string), COMMANDS);
        return parsed.kind === "overview" && !parsed.asked ? [`${file}: ${line}`] : [];
      } catch (fault) {
        return [`${file}: ${line}: ${(fault as Error).message}`];
      }
    }),
  );
  expect(broken).toEqual([]);
});

test("a list is a table on a terminal, and JSON in a pipe; -o says otherwise; nothing is coloured", async () => {
  const rows = [
    { id: "a", note: null, tags: ["x", "y"] },
    { id: "longer", note: "said", tags: [] },
  ];
  const commands = double(rows, { columns: ["id", "note", "tags"] });
  const table = "ID      NOTE  TAGS\na       -     x, y\nlonger  said  -\n";
  const json = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  expect((await run("double show --id 1", commands, { isTTY: true })).stdout).toBe(table);
  expect((await run("double show --id 1", commands)).stdout).toBe(json);
  expect((await run("double show --id 1 -o table", commands)).stdout).toBe(table);
  expect((await run("double show --id 1 -o json", commands, { isTTY: true })).stdout).toBe(json);
  expect(await run("double show --id 1 -o table", double([], { columns: ["id"] }))).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: "none\n",
  });
});

test("one thing is shown as lines of names and values, what is nested by its path", async () => {
  const commands = double([{ id: "a", connection: { open: true, notes: [] }, connectors: [{ n: 1 }] }]);
  expect((await run("double show --id 1 -o table", commands)).stdout).toBe(
    "id                a\nconnection.open   true\nconnection.notes  -\nconnectors.0.n    1\n",
  );
});

test("what a charge point sent does not steer the terminal", async () => {
  const commands = double([{ id: "\u001b[2J\u009b31m\u202e evil\n" }], { columns: ["id"] });
  for (const form of ["json", "table"]) {
    const { stdout } = await run(`double show --id 1 -o ${form}`, commands);
    // oxlint-disable-next-line no-control-regex -- it is these that must not be there
    expect(stdout.trimEnd()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(stdout).toContain("evil");
  }
  const { stdout } = await run("double show --id 1 -o json", commands);
  expect(JSON.parse(stdout)).toEqual({ id: "\u001b[2J\u009b31m\u202e evil\n" });
});

const coded = (code: string, more: object = {}) => Object.assign(new Error(`thrown with ${code}`), { code, ...more });

test.each([
  ["a mistake", new CliMistake("put it right"), 2, "put it right"],
  ["a server that is away", new ServerAway("Redis is away"), 3, "Redis is away"],
  ["a Postgres that refuses connections", coded("ECONNREFUSED"), 3, "doctor"],
  ["a Postgres that is shutting down", coded("57P01"), 3, "try again"],
  ["a missing schema", new Error("wrapped", { cause: coded("42P01") }), 2, "run `migrate`"],
  ["a wrong password", coded("28P01"), 2, "DATABASE_URL"],
  ["a missing file", coded("ENOENT", { path: "/nowhere/fleet.csv" }), 2, "/nowhere/fleet.csv: does not exist"],
  ["a fault of ours", new TypeError("x is not a function"), 1, "Unexpected: x is not a function"],
  ["something that is no error", "thrown text", 1, "Unexpected"],
])("%s is told in words with its exit code, and without a stack", async (_, fault, exitCode, words) => {
  const outcome = await run("double show --id 1", double([], { fault }));
  expect(outcome).toMatchObject({ exitCode, stderr: expect.stringContaining(words) });
  expect(outcome.stderr).not.toMatch(/^\s+at /m);
});

test("LOG_LEVEL=debug shows where a fault of ours was", async () => {
  const { stderr } = await run("double show --id 1", double([], { fault: new TypeError("odd") }), {
    env: { LOG_LEVEL: "debug" },
  });
  expect(stderr).toMatch(/^\s+at /m);
});

test.each([
  ["charge-point list --help", 0],
  ["cp show --help", 0],
  ["org list --help", 0],
  ["--help", 0],
  ["lanes --help", 0],
  ["lanes", 2],
  ["", 2],
])("%s ends with %i", async (line, exitCode) => {
  expect((await run(line)).exitCode).toBe(exitCode);
});

test.each([
  ["charge-points lst", "did you mean `charge-points list`?"],
  ["frobnicate", "`--help` lists all of them"],
  ["charge-points show", "--id is missing"],
  ["charge-points show --id ''", "--id is missing"],
  ["charge-points show --identity x", "--identity"],
  ["charge-points show --id", "--id"],
  ["charge-points show --id x y", "y"],
  ["charge-points list -o yaml", "table, json"],
])("%s is a mistake, and %s is said", async (line, words) => {
  expect(await run(line)).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringContaining(words) });
});

test("variables that are missing are named, all at once", async () => {
  const { exitCode, stderr } = await run("lanes list");
  expect(exitCode).toBe(2);
  for (const name of ["DATABASE_URL", "REDIS_URL", "SECRETS_KEY"]) expect(stderr).toContain(name);
});
