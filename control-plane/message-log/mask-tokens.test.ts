import { readSchemaSet, SCHEMA_FILES } from "@dynamo-csms/ocpp-schemas/generation/read-schema-set";
import { describe, expect, test } from "vitest";
import { maskTokens } from "./mask-tokens.ts";

test("a token shows its ends, a short one nothing; all else stays byte by byte", () => {
  expect(maskTokens('[2, "1","Authorize", {"idTag" :"04A2B3C4D5E680" , "n":1.50e0}]')).toBe(
    '[2, "1","Authorize", {"idTag" :"04…80" , "n":1.50e0}]',
  );
  expect(maskTokens('[2,"1","Authorize",{"idTag":"AB12345"}]')).toBe('[2,"1","Authorize",{"idTag":"***"}]');
  const plain = '[2,"idTag","X",{"a":"idTag","b":["idTag",":"],"idTagInfo":{"status":"Accepted"}}]';
  expect(maskTokens(plain)).toBe(plain);
});

test("tokens in objects, in arrays and behind escaped names are found", () => {
  expect(
    maskTokens('{"idToken":{"idToken":"04A2B3C4","type":"ISO14443","additionalInfo":[{"additionalIdToken":"x"}]}}'),
  ).toBe('{"idToken":{"idToken":"04…C4","type":"ISO14443","additionalInfo":[{"additionalIdToken":"***"}]}}');
  expect(maskTokens('{"idTokens":["04A2B3C4","04A2B3C5"],"after":"04A2B3C4"}')).toBe(
    '{"idTokens":["04…C4","04…C5"],"after":"04A2B3C4"}',
  );
  expect(maskTokens('{"idtag":"04A2B3C4","IDTOKEN":"04A2B3C5"}')).toBe('{"idtag":"04…C4","IDTOKEN":"04…C5"}');
  expect(maskTokens('{"id\\u0054ag":"04A2B3C4"}')).toBe('{"id\\u0054ag":"04…C4"}');
  expect(maskTokens('{"idTag":"a\\"b\\\\cdefgh\\u00e9\\ud83d\\udd0c"}')).toBe('{"idTag":"a\\"…é🔌"}');
});

test("[D11] a frame that is no JSON, or is cut off in the middle of a token, hides it all the same", () => {
  expect(maskTokens('[2,"1","Authorize",{"idTag":"04A2B3C4D5')).toBe('[2,"1","Authorize",{"idTag":"***"');
  expect(maskTokens('{"idTag":"04A2\\')).toBe('{"idTag":"***"');
  expect(maskTokens('}}]{"idTag":123456789}')).toBe('}}]{"idTag":"***"}');
  expect(maskTokens('"idTag":"04A2B3C4"')).toBe('"idTag":"04…C4"');
});

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
}

/** What a field of a token is called, in any version so far. A field that is none goes into NO_TOKENS. */
const LOOKS_LIKE_TOKEN = /id_?(tag|token)|emaid|customerIdentifier|rfid/i;

describe.each(SCHEMA_FILES)("every field of $version that holds a token is masked", (file) => {
  const { messages, definitions } = readSchemaSet(file);
  const fields = new Map<string, "text" | "texts">();
  const collect = (schema: Schema): void => {
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      if (LOOKS_LIKE_TOKEN.test(name) && property.type === "string") fields.set(name, "text");
      if (LOOKS_LIKE_TOKEN.test(name) && property.type === "array" && property.items?.type === "string")
        fields.set(name, "texts");
      collect(property);
    }
    if (schema.items !== undefined) collect(schema.items);
  };
  for (const { schema } of messages) collect(schema as Schema);
  for (const schema of definitions.values()) collect(schema as Schema);

  test("there are such fields", () => {
    expect(fields.size).toBeGreaterThanOrEqual(2);
  });

  test.each([...fields])("%s", (name, kind) => {
    const value = kind === "text" ? "SECRET-CARD" : ["SECRET-CARD"];
    expect(maskTokens(JSON.stringify([2, "1", "X", { list: [{ [name]: value }] }]))).not.toContain("SECRET-CARD");
  });
});
