import { expect, test } from "vitest";
import { maskRequest } from "./mask-request.ts";

test("secrets and personal data are masked at any depth", () => {
  expect(
    maskRequest({
      name: "Depot",
      password: "p",
      site_owner: { name: "A", email: "a@b" },
      note: "card of A",
      nested: [{ provisioning_password: "x", api_key: "y", kept: 1 }],
    }),
  ).toEqual({
    name: "Depot",
    password: "***",
    site_owner: "***",
    note: "***",
    nested: [{ provisioning_password: "***", api_key: "***", kept: 1 }],
  });
});

test("what would fill the log is cut", () => {
  expect(maskRequest({ notes: "x".repeat(1_000) })).toEqual({ notes: `${"x".repeat(500)}…` });
  expect(maskRequest(Array.from({ length: 1_000 }, (_, i) => i))).toHaveLength(100);
});
