import { MAX_ERROR_DESCRIPTION } from "@dynamo-csms/proto/call-error";
import { expect, test } from "vitest";
import { shown } from "./explain-schema-error.ts";
import { validatePayload } from "./validators.ts";

const status = (errorCode: unknown) =>
  validatePayload("1.6", "StatusNotification", "request", { connectorId: 1, errorCode, status: "Available" });

test("a long list of members is cut, what was sent is still said", () => {
  const description = status("Melted")?.description ?? "";
  expect(description).toMatch(/^errorCode: must be one of ConnectorLockFailure, .*, … \(got "Melted"\)$/);
  expect(description.length).toBeLessThanOrEqual(MAX_ERROR_DESCRIPTION);
});

test.each([
  "x".repeat(1_000_000),
  '"\\'.repeat(500),
  "😀".repeat(1000),
  "\u0000\n\u202e".repeat(100),
  "\ud800".repeat(99),
])("a hostile value stays short and printable (%#)", (value) => {
  const description = status(value)?.description ?? "";
  expect(description.length).toBeLessThanOrEqual(MAX_ERROR_DESCRIPTION);
  expect(description).toMatch(/^[\P{C}]*$/u);
  const got = JSON.parse(/\(got (".*")\)$/s.exec(description)?.[1] ?? "null") as string;
  expect(got.length).toBeLessThanOrEqual(40);
});

test("a hostile field name stays short and printable, its pointer is the parent's", () => {
  const refusal = validatePayload("2.0.1", "Heartbeat", "request", { [`\u0000${"n".repeat(1_000_000)}`]: 1 });
  expect(refusal?.refusal).toBe("malformed-payload");
  expect(refusal?.description).toMatch(/^\?n+…: is not a field of this message; vendor fields belong in customData$/);
  expect(refusal?.description.length).toBeLessThanOrEqual(MAX_ERROR_DESCRIPTION);
  expect(refusal?.pointer).toBe("");
});

test("a value is shown as JSON, objects and arrays only by kind", () => {
  expect([shown("a"), shown(1e300), shown(true), shown(null), shown([1]), shown({ secret: 1 })]).toEqual([
    '"a"',
    "1e+300",
    "true",
    "null",
    "an array",
    "an object",
  ]);
});
