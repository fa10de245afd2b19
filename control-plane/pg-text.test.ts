import { expect, test } from "vitest";
import { arrayLiteral, copyField } from "./pg-text.ts";

test("a field of COPY stays in its line and keeps its backslashes", () => {
  expect(copyField('a\tb\nc\rd\\n"e"')).toBe('a\\tb\\nc\\rd\\\\n"e"');
  expect(copyField(String.raw`\N`)).toBe(String.raw`\\N`);
});

test("an array literal tells null from the text NULL, and keeps quotes, backslashes, commas and braces", () => {
  expect(arrayLiteral([null, undefined, "NULL", 'say "a\\b"', "{1,2}", "", 5, 7n, true])).toBe(
    '{NULL,NULL,"NULL","say \\"a\\\\b\\"","{1,2}","",5,7,true}',
  );
  expect(arrayLiteral([])).toBe("{}");
});
