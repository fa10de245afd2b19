import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "../folders.ts";
import { readActionFacts } from "./read-action-tables.ts";
import { readmeWithSummary, supportedActionsPage } from "./supported-actions.ts";

const read = (...path: string[]) => readFileSync(join(FOLDERS.root, ...path), "utf8");

test("docs/supported-actions.md and README's table are up to date: npm run generate:documents", async () => {
  expect(read("docs", "supported-actions.md")).toBe(await supportedActionsPage());
  expect(read("README.md")).toBe(await readmeWithSummary(read("README.md")));
});

test("what is told of an action is what the processes do", async () => {
  const facts = new Map((await readActionFacts("2.1")).map((one) => [one.action, one]));
  expect(facts.get("Heartbeat")?.fromStation).toEqual({ answeredBy: "gateway", declined: false, hasEffect: true });
  expect(facts.get("BootNotification")?.fromStation).toMatchObject({ answeredBy: "control plane", declined: false });
  expect(facts.get("TransactionEvent")?.fromStation).toMatchObject({ answeredBy: "both" });
  expect(facts.get("NotifyPeriodicEventStream")?.fromStation).toMatchObject({ answeredBy: "nobody" });
  expect(facts.get("Reset")).toEqual({ action: "Reset", toStation: { hasEffect: expect.any(Boolean) } });
  expect(facts.get("DataTransfer")).toMatchObject({ fromStation: {}, toStation: {} });
});
