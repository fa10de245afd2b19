import { afterAll, beforeAll, expect, test } from "vitest";
import { createGuardedFetch } from "../webhooks/guarded-fetch.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

let receiver: WebhookReceiver;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
});
afterAll(() => receiver.close());

const METADATA = "169.254.169.254";

/** A name server of the attacker's: each question gets the next answer, the last one for ever. */
function answering(...answers: string[][]) {
  const asked: string[] = [];
  const guarded = createGuardedFetch(
    { allowPrivate: true, ports: [], blockedNetworks: [] },
    (hostname, _options, callback) => {
      const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
      asked.push(hostname);
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
    },
  );
  const { port } = new URL(receiver.url);
  const send = (host = "rebinding.example") =>
    guarded.send({
      url: `http://${host}:${port}/hook`,
      method: "POST",
      headers: {},
      body: "{}",
      timeoutMs: 5_000,
      maxResponseBytes: 100,
    });
  return { asked, send, close: () => guarded.close() };
}

test("[E10] a name is asked for once per attempt, and what was checked is what is connected to", async () => {
  const names = answering(["127.0.0.1"], [METADATA]);
  expect(await names.send()).toMatchObject({ ok: true, value: { status: 204 } });
  expect(names.asked).toEqual(["rebinding.example"]);
  expect(receiver.request(0).headers["host"]).toBe(
    new URL(receiver.url).host.replace("127.0.0.1", "rebinding.example"),
  );
  // The next attempt asks anew: no connection, and no address, is left over from the good one.
  expect(await names.send()).toEqual({
    ok: false,
    error: { kind: "refused", reason: "the host is not a public address" },
  });
  expect(names.asked).toHaveLength(2);
  expect(receiver.connections()).toBe(1);
  await names.close();
});

// Broken once on purpose: with the resolved addresses unchecked (guarded-fetch.ts, lookup) it fails for each of them: a
// connection, or an attempt at one.
test.each([
  ["the metadata address", [METADATA]],
  ["one that is good and one that is not", ["127.0.0.1", METADATA]],
  ["the same the other way round", [METADATA, "127.0.0.1"]],
  ["the metadata address in IPv6", ["::ffff:a9fe:a9fe"]],
  ["a private network in IPv6", ["fd00::1"]],
  ["a translated address", ["64:ff9b::a9fe:a9fe"]],
  ["no address at all", []],
])("[I11] [E10] a name that resolves to %s is connected to nowhere", async (_, addresses) => {
  const before = receiver.connections();
  const names = answering(addresses);
  expect(await names.send()).toMatchObject({ ok: false, error: { kind: "refused" } });
  expect(receiver.connections()).toBe(before);
  await names.close();
});
