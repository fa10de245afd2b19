import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generatedFiles } from "./generate.ts";
import { readSchemaSet, SCHEMA_FILES } from "./generation/read-schema-set.ts";
import { rewriteSchema } from "./generation/rewrite-schema.ts";

test("the same package gives the same bytes, and they are what was generated", async () => {
  const [first, second] = [await generatedFiles(), await generatedFiles()];
  expect(second).toEqual(first);
  expect(first.size).toBe(15);
  for (const [name, text] of first) {
    expect(
      readFileSync(join(import.meta.dirname, "generated", name), "utf8") === text,
      `${name}: run npm run generate`,
    ).toBe(true);
  }
}, 60_000);

test("compiled validators and scanners import nothing at run time", async () => {
  for (const [name, text] of await generatedFiles()) {
    if (!name.endsWith(".js")) continue;
    expect(text).not.toMatch(/\bimport\b/);
    // ajv leaves one mention in a string, for its own code generator.
    expect(text.replaceAll(/'require\([^)]*\)\.default'/g, "")).not.toMatch(/\brequire\(/);
  }
}, 60_000);

test("every class is closed, except customData of 2.x", () => {
  for (const source of SCHEMA_FILES) {
    const { messages, definitions } = readSchemaSet(source);
    const named = [
      ...definitions,
      ...messages.map(({ action, kind, schema }) => [`${action} ${kind}`, schema] as const),
    ];
    const open = named
      .filter(([, schema]) => schema.type === "object" && schema.additionalProperties !== false)
      .map(([name]) => name);
    expect(open).toEqual(source.version === "1.6" ? [] : ["CustomDataType"]);
  }
});

test("a constraint that the generator does not know stops it", () => {
  expect(() => rewriteSchema({ type: "string", pattern: "^a" })).toThrow("unknown JSON Schema keyword pattern");
  expect(() => rewriteSchema({ type: "array", items: [{ type: "string" }], additionalItems: false })).toThrow(
    "not a JSON schema",
  );
});

test("what means nothing goes, what constrains stays", () => {
  expect(
    rewriteSchema({
      type: "string",
      additionalProperties: false,
      javaType: "X",
      comment: "c",
      description: "d",
      default: "a",
      enum: ["a"],
    }),
  ).toEqual({
    type: "string",
    enum: ["a"],
  });
  expect(
    rewriteSchema({
      type: "object",
      additionalProperties: false,
      properties: { comment: { type: "string", maxLength: 3 } },
    }),
  ).toEqual({
    type: "object",
    additionalProperties: false,
    properties: { comment: { type: "string", maxLength: 3 } },
  });
});
