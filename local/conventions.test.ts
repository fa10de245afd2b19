import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "./folders.ts";

// What the linter cannot say: it has no rule for the text of a string, nor for the name of a file.
const SKIPPED = /(^|\/)(node_modules|dist|generated)(\/|$)/;
const sources = ["proto", "ocpp-schemas", "gateway", "control-plane", "local", "loadtest"].flatMap((folder) =>
  readdirSync(join(FOLDERS.root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts") && !SKIPPED.test(path)),
);

test("a Redis key is written in proto/redis-keys.ts and nowhere else", () => {
  const offenders = sources.filter(
    (path) =>
      path !== "proto/redis-keys.ts" &&
      !path.endsWith(".test.ts") &&
      /["'`]ocpp:/.test(readFileSync(join(FOLDERS.root, path), "utf8")),
  );
  expect(offenders).toEqual([]);
});

test("no file is named for being left over", () => {
  expect(sources.filter((path) => /(^|\/)(utils?|helpers?|common|services?|types|index)\.ts$/.test(path))).toEqual([]);
});
