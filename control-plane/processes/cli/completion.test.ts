import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import type { CommandIo } from "./cli-command.ts";
import { COMMANDS } from "./commands.ts";

async function scriptOf(shell: "bash" | "zsh"): Promise<string> {
  let text = "";
  const command = COMMANDS.find(({ name }) => name === `completion ${shell}`);
  await command?.run({}, { write: (part) => (text += part) } as Partial<CommandIo> as CommandIo);
  return text;
}

/** What one bash offers for each of these lines, whose last word is being typed. */
async function offered(lines: readonly (readonly string[])[]): Promise<string[][]> {
  const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");
  const asked = lines.map(
    (words) => `COMP_WORDS=(dynamo ${quoted(words)}); COMP_CWORD=${words.length}; _dynamo; echo "\${COMPREPLY[*]}"`,
  );
  const script = [await scriptOf("bash"), ...asked].join("\n");
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.split("\n").map((line) => line.split(" ").filter((word) => word !== ""));
}

test.each([
  [["char"], ["charge-points"]],
  [
    ["lanes", "l"],
    ["list", "lag"],
  ],
  [["lanes", "lag", "--m"], ["--max-seconds"]],
  [
    ["charge-points", "generate", "--ocpp", ""],
    ["1.6", "2.0.1", "2.1"],
  ],
  [["charge-points", "generate", "--accepted", "--pro"], ["--project"]],
  [["charge-points", "generate", "--count", "7", "--oc"], ["--ocpp"]],
  [
    ["nodes", "list", "-o", ""],
    ["table", "json"],
  ],
  // Of a file nothing is known: the shell offers its own.
  [["charge-points", "import", "--file", "fl"], []],
])("%j is completed with %j", async (words, expected) => {
  expect((await offered([words]))[0]).toEqual(expected);
});

test("every command can be typed with completion alone", async () => {
  const lines = COMMANDS.flatMap(({ name }) => name.split(" ").map((_, index, words) => words.slice(0, index + 1)));
  const answers = await offered(lines);
  for (const [index, words] of lines.entries()) expect(answers[index]).toContain(words.at(-1));
});

test("zsh is given the same, by its own bridge", async () => {
  const [bridge, ...rest] = (await scriptOf("zsh")).split("\n");
  expect(bridge).toBe("autoload -U +X bashcompinit && bashcompinit");
  expect(rest.join("\n")).toBe(await scriptOf("bash"));
});
