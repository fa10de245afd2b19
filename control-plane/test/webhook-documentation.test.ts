// What docs/webhooks.md tells its readers to do, done with a real delivery.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pauseAfterMs } from "../webhooks/delivery-schedule.ts";
import { EVENT_TYPES, EVENTS } from "../webhooks/event-catalog.ts";
import { recordEvent } from "../webhooks/record-event.ts";
import { newWebhookSecret } from "../webhooks/webhook-secret.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";
import { runDue, startWebhookWorld, type WebhookWorld } from "./webhook-world.ts";

const DOCUMENT = readFileSync(fileURLToPath(new URL("../../docs/webhooks.md", import.meta.url)), "utf8");
const blocks = (language: string) =>
  [...DOCUMENT.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map((match) => match[1] as string);

interface Verifiers {
  isFromDynamo(secret: string, headers: Record<string, string>, body: string, nowMs?: number): boolean;
  isFromDynamoLegacy(secret: string, signature: string | undefined, body: string): boolean;
}

const folder = mkdtempSync(join(tmpdir(), "webhook-documentation-"));
let world: WebhookWorld;
let receiver: WebhookReceiver;
let verifiers: Verifiers;
let secret: string;
beforeAll(async () => {
  world = await startWebhookWorld();
  receiver = await startWebhookReceiver();
  const modules = blocks("js").map(async (text, number) => {
    const file = join(folder, `${number}.mjs`);
    writeFileSync(file, text);
    return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Partial<Verifiers>;
  });
  verifiers = Object.assign({}, ...(await Promise.all(modules))) as Verifiers;
  const orgId = await world.createOrganization();
  ({ secret } = await world.createEndpoint(orgId, receiver.url));
  // With a name whose bytes and characters are not the same.
  const data = { ...EVENTS["handover.completed"].example, charge_point_ids: ["cp_01hxab1c2d3e"], warnings: [] };
  await recordEvent(world.sql, { orgId, type: "handover.completed", data });
  await runDue(world.fanOut);
  await runDue(world.delivery);
});
afterAll(async () => {
  await receiver.close();
  await world.close();
  rmSync(folder, { recursive: true });
});

test("[E13] the JavaScript for Standard Webhooks accepts the delivery, and nothing that was changed or is old", () => {
  const { headers, body } = receiver.request(0);
  const { isFromDynamo } = verifiers;
  expect(isFromDynamo(secret, headers, body)).toBe(true);
  expect(isFromDynamo(newWebhookSecret(), headers, body)).toBe(false);
  expect(isFromDynamo(secret, headers, `${body} `)).toBe(false);
  expect(isFromDynamo(secret, { ...headers, "webhook-id": "evt_other" }, body)).toBe(false);
  expect(isFromDynamo(secret, headers, body, Date.now() + 3_600_000)).toBe(false);
  expect(isFromDynamo(secret, {}, body)).toBe(false);
  const rotating = { ...headers, "webhook-signature": `v1,AAAA ${headers["webhook-signature"]}` };
  expect(isFromDynamo(secret, rotating, body)).toBe(true);
});

test("the JavaScript for the older signature accepts the delivery, and nothing that was changed", () => {
  const { headers, body } = receiver.request(0);
  const signature = headers["x-dynamo-signature"];
  const { isFromDynamoLegacy } = verifiers;
  expect(isFromDynamoLegacy(secret, signature, body)).toBe(true);
  expect(isFromDynamoLegacy(newWebhookSecret(), signature, body)).toBe(false);
  expect(isFromDynamoLegacy(secret, signature, `${body} `)).toBe(false);
  expect(isFromDynamoLegacy(secret, undefined, body)).toBe(false);
});

const hasPython = spawnSync("python3", ["--version"]).error === undefined;
test.skipIf(!hasPython)("the Python says the same", () => {
  const { headers, body } = receiver.request(0);
  const script = `${blocks("python").join("\n")}
import json, sys
given = json.load(sys.stdin)
body = given["body"].encode()
for secret in given["secrets"]:
    print(is_from_dynamo(secret, given["headers"], body), is_from_dynamo_legacy(secret, given["headers"]["x-dynamo-signature"], body))
print(is_from_dynamo(given["secrets"][0], given["headers"], body, 1.0))
`;
  const input = JSON.stringify({ headers, body, secrets: [secret, newWebhookSecret()] });
  const { stdout, stderr } = spawnSync("python3", ["-c", script], { input, encoding: "utf8" });
  expect({ stdout, stderr }).toEqual({ stdout: "True True\nFalse False\nFalse\n", stderr: "" });
});

describe("what the document names is what there is", () => {
  test("events", () => {
    const named = [...DOCUMENT.matchAll(/^\| `([a-z_]+\.[a-z_]+)` \|/gm)].map((match) => match[1]);
    expect(named).toEqual(EVENT_TYPES);
  });

  test("headers", () => {
    const example = DOCUMENT.slice(DOCUMENT.indexOf("```http"), DOCUMENT.indexOf("| field"));
    const named = [...example.matchAll(/^([\w-]+): /gm)].map((match) => (match[1] as string).toLowerCase());
    const carried = Object.keys(receiver.request(0).headers);
    expect(carried).toEqual(expect.arrayContaining(named));
    expect(named).toEqual(expect.arrayContaining(carried.filter((name) => /^webhook-|^x-/.test(name))));
  });

  test("pauses", () => {
    const seconds = Array.from({ length: 9 }, (_, index) => (pauseAfterMs(index + 1, 0, undefined) ?? 0) / 1_000);
    const [first, second, third, ...rest] = seconds as [number, number, number, ...number[]];
    const hours = rest.map((pause) => pause / 3_600);
    const text = `after ${first} seconds, ${second / 60} minutes, ${third / 60} minutes, ${hours.slice(0, -1).join(", ")} and ${hours.at(-1)} hours`;
    expect(DOCUMENT.replaceAll(/\s+/g, " ")).toContain(text);
  });
});
