import type { StationCall } from "@dynamo-csms/proto/generated/station_decisions";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDecisionsClient, type DecisionsClient } from "../inbound/decisions-client.ts";
import { startScriptedDecisions, type ScriptedDecisions } from "./scripted-decisions.ts";
import { until } from "./world.ts";

/** Far longer than a test may take: what ends earlier ended for another reason. */
const NEVER_MS = 600_000;

let server: ScriptedDecisions;
let client: DecisionsClient;
beforeEach(async () => {
  server = await startScriptedDecisions();
  client = createDecisionsClient({ address: server.address, log: pino({ level: "silent" }) });
});
afterEach(() => {
  client.close();
  server.stop();
});

const call = (messageId: string): StationCall => ({
  identity: "cs-1",
  epoch: 1_795_346_991_120,
  seq: 4,
  receivedAtMs: 1_795_346_991_121,
  ocppVersion: "1.6",
  messageId,
  action: "Authorize",
  payload: '{"idTag":"A"}',
  nodeId: "node-1",
});
const result = (payload: string) => ({ $case: "result", value: { payload, registration: "" } }) as const;
const asked = (n: number) => until(`${n} questions`, () => server.questions.length >= n);

test("answers come in any order, each to its own question", async () => {
  const decisions = [client.decide(call("a"), NEVER_MS), client.decide(call("b"), NEVER_MS)];
  await asked(2);
  for (const { requestId, question } of server.questions.toReversed()) {
    if (question?.$case === "call") server.answer(requestId, result(`{"for":"${question.value.messageId}"}`));
  }
  expect(await Promise.all(decisions)).toEqual([
    { kind: "result", payload: '{"for":"a"}' },
    { kind: "result", payload: '{"for":"b"}' },
  ]);
  expect(server.questions[0]?.question).toEqual({ $case: "call", value: call("a") });
});

test("what is open on a stream that breaks is asked again on the next one", async () => {
  const decision = client.decide(call("a"), NEVER_MS);
  await asked(1);
  server.cutStreams();
  await asked(2);
  expect(server.questions[1]?.question).toEqual(server.questions[0]?.question);
  server.answer(server.questions[1]?.requestId ?? 0, result("{}"));
  expect(await decision).toEqual({ kind: "result", payload: "{}" });
});

test("a control plane that is away is known to be: nobody waits for it, and it is found when it is back", async () => {
  const first = client.decide(call("a"), NEVER_MS);
  await asked(1);
  server.stop();
  expect(await first).toMatchObject({ kind: "unavailable" });
  expect(client.connected).toBe(false);
  expect(await client.decide(call("b"), NEVER_MS)).toMatchObject({ kind: "unavailable" });
  await server.start();
  server.script(() => result("{}"));
  await until("connected", () => client.connected);
  expect(await client.decide(call("c"), NEVER_MS)).toEqual({ kind: "result", payload: "{}" });
});

test("a question that gets no answer in time is unavailable, and the silent stream is replaced", async () => {
  expect(await client.decide(call("a"), 50)).toMatchObject({ kind: "unavailable", reason: "no decision in time" });
  server.script(() => result("{}"));
  await until("answered on a new stream", async () => (await client.decide(call("b"), 200)).kind === "result");
});

test("to a control plane that does not read, no more is written than the connection takes", async () => {
  const large = (messageId: string): StationCall => ({
    ...call(messageId),
    payload: JSON.stringify("x".repeat(100_000)),
  });
  void client.decide(call("first"), NEVER_MS);
  await asked(1);
  server.stopReading();
  const decisions = Array.from({ length: 200 }, (_, n) => client.decide(large(String(n)), 2_000));
  // The stream is alive: something comes the other way.
  await new Promise((resolve) => setTimeout(resolve, 500));
  server.answer(0, result("{}"));
  for (const decision of await Promise.all(decisions)) expect(decision.kind).toBe("unavailable");
  server.script(() => result("{}"));
  server.read();
  expect((await client.decide(call("last"), NEVER_MS)).kind).toBe("result");
  // What was given up before it could be written is not asked any more.
  expect(server.questions.length).toBeLessThan(100);
});

test("a refusal keeps its meaning; one that this build does not know is an internal one", async () => {
  server.script((request) => ({
    $case: "refusal",
    value: {
      refusal:
        request.question?.$case === "call" && request.question.value.messageId === "a"
          ? "unsupported-action"
          : "made-up",
      description: "why",
    },
  }));
  expect(await client.decide(call("a"), NEVER_MS)).toEqual({
    kind: "refusal",
    refusal: { refusal: "unsupported-action", description: "why" },
  });
  expect(await client.decide(call("b"), NEVER_MS)).toEqual({
    kind: "refusal",
    refusal: { refusal: "internal", description: "why" },
  });
});

test("a station is found, unknown, or nobody can tell", async () => {
  const identity = "cs-1" as StationIdentity;
  server.script(() => ({ $case: "lookup", value: { record: "" } }));
  expect(await client.lookup(identity)).toEqual({ kind: "unknown" });
  server.script(() => ({ $case: "lookup", value: { record: JSON.stringify({ v: 1, rev: 3 }) } }));
  expect(await client.lookup(identity)).toEqual({ kind: "found", record: { v: 1, rev: 3 } });
  server.script(() => ({ $case: "lookup", value: { record: JSON.stringify({ v: 2 }) } }));
  expect(await client.lookup(identity)).toMatchObject({ kind: "unavailable" });
  server.script(() => ({ $case: "unavailable", value: { reason: "Postgres is away" } }));
  expect(await client.lookup(identity)).toEqual({ kind: "unavailable", reason: "Postgres is away" });
});
