import { expect, test } from "vitest";
import { didYouMean } from "./did-you-mean.ts";

const KNOWN = ["email", "password", "full_name", "phone", "company"];

test.each([
  ["fullName", "full_name"],
  ["full-name", "full_name"],
  ["emial", "email"],
  ["e_mail", "email"],
  ["passwort", "password"],
  ["compny", "company"],
])("%s probably means %s", (name, meant) => {
  expect(didYouMean(name, KNOWN)).toBe(meant);
});

test.each(["template_id", "x", "", "constructor", "\u2028".repeat(100)])("%s means nothing known", (name) => {
  expect(didYouMean(name, KNOWN)).toBeUndefined();
});
