import { parseStationIdentity, type StationIdentity } from "@dynamo-csms/proto/station-identity";
import { expect, test } from "vitest";
import { isUserOf, parseBasicAuth } from "./basic-auth.ts";

const basic = (...parts: (string | Buffer)[]) =>
  `Basic ${Buffer.concat(parts.map((part) => Buffer.from(part))).toString("base64")}`;
const identityOf = (text: string): StationIdentity => {
  const parsed = parseStationIdentity(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value.identity;
};

test("[1.2-hex-key] the worked example of the 1.6 specification gives back its twenty key bytes", () => {
  const credentials = parseBasicAuth("Basic QUwxMDAwOgABAgMEBQYH////////////////");
  expect(credentials?.username.toString()).toBe("AL1000");
  expect(credentials?.password.toString("hex")).toBe("0001020304050607ffffffffffffffffffffffff");
});

test("[1.2-hex-key] [C3] the first colon separates, later ones and zero bytes belong to the password", () => {
  const credentials = parseBasicAuth(basic("CS001:a:b", Buffer.from([0, 0xff])));
  expect(credentials?.username.toString()).toBe("CS001");
  expect(credentials?.password).toEqual(Buffer.from([0x61, 0x3a, 0x62, 0, 0xff]));
});

test("the scheme may be written in any case", () => {
  expect(parseBasicAuth(basic("a:b").replace("Basic", "basic"))?.username.toString()).toBe("a");
});

test.each(["", "Basic", "Basic ", "Bearer abc", "Basic !!!", "Basic YWJj", "Basic YTpi YTpi"])(
  "%j holds no credentials",
  (header) => {
    expect(parseBasicAuth(header)).toBeUndefined();
  },
);

test("[H9] the user is the identity of the URL in any case, and nobody else", () => {
  expect(isUserOf(Buffer.from("CS001"), identityOf("cs001"))).toBe(true);
  expect(isUserOf(Buffer.from("CS0011"), identityOf("cs001"))).toBe(false);
  expect(isUserOf(Buffer.from("CS001 "), identityOf("cs001"))).toBe(false);
});

test("a user name that is not UTF-8 is nobody's", () => {
  // Decoded leniently, both would become the replacement character.
  expect(isUserOf(Buffer.from([0xff]), identityOf("\ufffd"))).toBe(false);
});
