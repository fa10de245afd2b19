import { expect, test } from "vitest";
import { readValues, valuesTable } from "./values-document.ts";

const TEXT = `# About the file.

# -- How many
# @schema {"minimum": 1}
count: 3
common:
  # -- Labels
  # @schema {"additionalProperties": {"type": "string"}}
  labels: {}
# @inherits common
own:
  # -- A name
  name: ""
`;

test("a value has its row, and the schema its default implies, what a comment adds, and what its part inherits", () => {
  const { values, schema } = readValues(TEXT);
  expect(valuesTable(values).split("\n").slice(2)).toEqual([
    "| `count` | `3` | How many |",
    "| `common.labels` | `{}` | Labels |",
    '| `own.name` | `""` | A name |',
  ]);
  const labels = { description: "Labels", type: "object", additionalProperties: { type: "string" } };
  expect(schema).toMatchObject({
    additionalProperties: false,
    properties: {
      count: { type: "integer", minimum: 1 },
      own: { additionalProperties: false, properties: { labels, name: { type: "string" } } },
    },
  });
});

test("a value that nothing is said of is a mistake, and so is a schema that is no JSON", () => {
  expect(() => readValues("# -- a\na: 1\nb: 2\n")).toThrow("b has no comment");
  expect(() => readValues("# -- a\n# @schema {minimum: 1}\na: 1\n")).toThrow("@schema of a is not JSON");
});
