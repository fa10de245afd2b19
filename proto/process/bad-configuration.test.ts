import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { BadConfiguration, configure } from "./bad-configuration.ts";

const MODULE = new URL("bad-configuration.ts", import.meta.url).href;

function runProcess(body: string) {
  const script = `import { BadConfiguration, configure } from ${JSON.stringify(MODULE)};\n${body}`;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
}

test("a process with a bad environment says each mistake on a line of stderr, and nothing else, and ends with 1", () => {
  const { status, stdout, stderr } = runProcess(
    `configure("gateway", () => { throw new BadConfiguration(["A is not set: want a URL", "B=x: want true or false"]); });`,
  );
  expect(status).toBe(1);
  expect(stdout).toBe("");
  expect(stderr.split("\n")).toEqual([
    "gateway did not start. Its environment has 2 mistakes:",
    "  A is not set: want a URL",
    "  B=x: want true or false",
    "Set these variables (a secret also as NAME_FILE, the path of a file that holds it), then start it again.",
    "",
  ]);
});

test("a fault while reading is no mistake of whoever set the variables: it is thrown on", () => {
  expect(() =>
    configure("gateway", () => {
      throw new TypeError("ours");
    }),
  ).toThrow(TypeError);
  expect(configure("gateway", () => 1)).toBe(1);
});

test("the error itself names every mistake, for whoever logs it", () => {
  expect(new BadConfiguration(["one", "two"]).message).toBe("bad configuration: one; two");
});
