import { expect, test } from "vitest";
import { storableJson, storableText } from "./storable-text.ts";

test("U+0000 and lone surrogates are replaced, the rest stays as it is", () => {
  expect(storableText("a\u0000b\ud800c")).toBe("a\uFFFDb\uFFFDc");
  expect(storableText("Zoë – 充电 🔌")).toBe("Zoë – 充电 🔌");
});

test("JSON that Postgres takes is not touched, not even its numbers", () => {
  const text = '{"n": 1.50, "big": 9007199254740993, "s": "\\u00e9\\n"}';
  expect(storableJson(text)).toBe(text);
});

test("escapes that jsonb refuses are repaired in values and names; numbers keep their digits", () => {
  expect(JSON.parse(storableJson('{"a\\u0000":["x\\u0000","\\ud83d","\\ud83d\\ude00"],"n":1e99999}'))).toEqual({
    "a\uFFFD": ["x\uFFFD", "\uFFFD", "😀"],
    n: "1e99999",
  });
  expect(storableJson('{"z":"\\u0000","n":9007199254740993.10}')).toBe('{"z":"\uFFFD","n":9007199254740993.10}');
});

test("what is nested without end, or is no JSON, is kept as text", () => {
  const deep = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
  expect(JSON.parse(storableJson(deep))).toEqual({ raw: deep });
  expect(JSON.parse(storableJson('{"a":"\\u0000'))).toEqual({ raw: '{"a":"\\u0000' });
});
