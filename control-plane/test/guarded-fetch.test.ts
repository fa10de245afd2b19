import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGuardedFetch, type GuardedFetch } from "../webhooks/guarded-fetch.ts";
import { startWebhookReceiver } from "./webhook-receiver.ts";

let server: Server;
let port: number;
let connections = 0;
let strict: GuardedFetch;
let development: GuardedFetch;

beforeAll(async () => {
  server = createServer((_, response) => response.end()).on("connection", () => connections++);
  server.listen(0, "::");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
  strict = createGuardedFetch({ allowPrivate: false, ports: [port], blockedNetworks: [] });
  development = createGuardedFetch({ allowPrivate: true, ports: [], blockedNetworks: [] });
});
afterAll(async () => {
  await strict.close();
  await development.close();
  server.close();
});

const post = (fetch: GuardedFetch, url: string, timeoutMs = 5_000, maxResponseBytes = 1_000) =>
  fetch.send({ url, method: "POST", headers: {}, body: "{}", timeoutMs, maxResponseBytes });

// Broken once on purpose: with addresses in URLs unchecked (guarded-fetch.ts, refuseTarget) it fails for each of the
// addresses: not refused.
test.each([
  "localhost",
  "127.0.0.1",
  "2130706433",
  "0x7f000001",
  "017700000001",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "0.0.0.0",
  "127.1",
])("[I11] [E10] nothing is sent to this machine as %s", async (host) => {
  const answer = await post(strict, `https://${host}:${port}/`);
  expect(answer).toMatchObject({ ok: false, error: { kind: "refused" } });
  expect(connections).toBe(0);
});

test("an answer comes back with status, headers and body", async () => {
  const receiver = await startWebhookReceiver((response) => response.writeHead(201, { "x-test": "yes" }).end("thanks"));
  const answer = await post(development, receiver.url);
  expect(answer).toMatchObject({ ok: true, value: { status: 201, headers: { "x-test": "yes" } } });
  expect(answer.ok && answer.value.body.toString()).toBe("thanks");
  await receiver.close();
});

test("[E11] a receiver that never answers, or never ends its answer, is given up", async () => {
  const silent = await startWebhookReceiver(() => {});
  const endless = await startWebhookReceiver((response) => void response.writeHead(200).write("a"));
  expect(await post(development, silent.url, 300)).toMatchObject({ ok: false, error: { kind: "timed-out" } });
  expect(await post(development, endless.url, 300)).toMatchObject({ ok: false, error: { kind: "timed-out" } });
  await silent.close();
  await endless.close();
});

test("[E11] of a huge answer only the allowed part is taken, and the rest not even received", async () => {
  let written = 0;
  const receiver = await startWebhookReceiver((response) => {
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536;
      if (written < 1e9 && !response.destroyed) response.once("drain", more);
    };
    more();
  });
  const answer = await post(development, receiver.url, 5_000, 10_000);
  expect(answer.ok && answer.value.body.length).toBe(10_000);
  expect(written).toBeLessThan(50e6);
  await receiver.close();
});

test("[E11] a refused connection, a TLS error and a name that is none are told without addresses", async () => {
  const closed = await startWebhookReceiver();
  await closed.close();
  expect(await post(development, closed.url)).toEqual({
    ok: false,
    error: { kind: "failed", reason: "connection refused" },
  });
  expect(await post(development, `https://127.0.0.1:${port}/`)).toMatchObject({
    ok: false,
    error: { kind: "failed", reason: expect.not.stringContaining("127") },
  });
  expect(await post(development, "http://does-not-exist.invalid/")).toMatchObject({
    ok: false,
    error: { kind: "failed", reason: expect.stringContaining("does not resolve") },
  });
});
