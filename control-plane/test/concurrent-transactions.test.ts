import { afterAll, beforeAll, expect, test } from "vitest";
import { connectionOf } from "./lane-double.ts";
import { startTransactionScene, type TransactionScene } from "./transaction-scene.ts";

// Which sessions count against a token's limit: docs/adr/0009.

let scene: TransactionScene;
beforeAll(async () => void (scene = await startTransactionScene()));
afterAll(() => scene.close());

let tokens = 0;
const newToken = async (settings: Parameters<TransactionScene["token"]>[1] = {}) => {
  const token = `card-${++tokens}`;
  await scene.token(token, settings);
  return token;
};
const startOf = (idTag: string, timestamp = new Date().toISOString(), connectorId = 1) => ({
  connectorId,
  idTag,
  meterStart: 100,
  timestamp,
});
const statusOf = (answer: Record<string, unknown>) =>
  ((answer["idTagInfo"] ?? answer["idTokenInfo"]) as { status?: string } | undefined)?.status;

test("a second start with a limited token is ConcurrentTx, with an id and a row of its own; a resend of either stays what it was", async () => {
  const token = await newToken({ groupToken: "fleet" });
  const [a, b] = [await scene.newStation("1.6"), await scene.newStation("1.6")];
  const [first, second] = [startOf(token.toUpperCase()), startOf(token)];
  const one = await scene.decide(a, "1.6", "StartTransaction", first);
  const two = await scene.decide(b, "1.6", "StartTransaction", second);
  expect(one).toMatchObject({ idTagInfo: { status: "Accepted" } });
  expect(two).toEqual({
    transactionId: expect.any(Number),
    idTagInfo: { status: "ConcurrentTx", parentIdTag: "fleet" },
  });
  expect(await scene.decide(a, "1.6", "StartTransaction", first, "node-b")).toEqual(one);
  expect(await scene.decide(b, "1.6", "StartTransaction", second, "node-b")).toEqual(two);
  expect(await scene.rows("select state, id_token_status from transactions where station_id = $1", [b.id])).toEqual([
    { state: "active", id_token_status: "ConcurrentTx" },
  ]);
  // A refused one counts for nothing: with the first ended, the token is free.
  const stop = { transactionId: one["transactionId"], meterStop: 200, timestamp: new Date().toISOString() };
  await scene.decide(a, "1.6", "StopTransaction", stop);
  expect(statusOf(await scene.decide(a, "1.6", "StartTransaction", startOf(token)))).toBe("Accepted");
});

test("starts at the same moment on different stations: as many are accepted as the token allows", async () => {
  const token = await newToken({ maxActiveTransactions: 2 });
  const stations = await Promise.all([1, 2, 3, 4, 5].map(() => scene.newStation("1.6")));
  const answers = await Promise.all(
    stations.map((station) => scene.decide(station, "1.6", "StartTransaction", startOf(token))),
  );
  expect(answers.map((answer) => String(statusOf(answer))).toSorted((a, b) => a.localeCompare(b))).toEqual([
    "Accepted",
    "Accepted",
    "ConcurrentTx",
    "ConcurrentTx",
    "ConcurrentTx",
  ]);
});

test("a token without a limit, and another of the same group, start as they like", async () => {
  const [free, one, other] = [
    await newToken({ maxActiveTransactions: null }),
    await newToken({ groupToken: "family" }),
    await newToken({ groupToken: "family" }),
  ];
  for (const token of [free, free, one, other]) {
    const station = await scene.newStation("1.6");
    expect(statusOf(await scene.decide(station, "1.6", "StartTransaction", startOf(token)))).toBe("Accepted");
  }
});

test("Authorize never says ConcurrentTx: the card that stops a session is held to a reader too", async () => {
  const token = await newToken();
  const [station, newer] = [await scene.newStation("1.6"), await scene.newStation("2.0.1")];
  await scene.decide(station, "1.6", "StartTransaction", startOf(token));
  expect(statusOf(await scene.decide(station, "1.6", "Authorize", { idTag: token }))).toBe("Accepted");
  const idToken = { idToken: token, type: "ISO14443" };
  expect(statusOf(await scene.decide(newer, "2.0.1", "Authorize", { idToken }))).toBe("Accepted");
});

test("2.x: a second transaction is ConcurrentTx; the events of the first, its stop among them, are not", async () => {
  const token = await newToken();
  const [a, b] = [await scene.newStation("2.0.1"), await scene.newStation("2.1")];
  const event = (transactionId: string, seqNo: number, more: object = {}) => ({
    eventType: "Updated",
    timestamp: new Date().toISOString(),
    triggerReason: "Authorized",
    seqNo,
    transactionInfo: { transactionId },
    idToken: { idToken: token, type: "ISO14443" },
    ...more,
  });
  const ask = async (station: typeof a, version: "2.0.1" | "2.1", payload: object) =>
    statusOf(await scene.decide(station, version, "TransactionEvent", payload));
  expect(await ask(a, "2.0.1", event("a", 0, { eventType: "Started" }))).toBe("Accepted");
  expect(await ask(b, "2.1", event("b", 0, { eventType: "Started" }))).toBe("ConcurrentTx");
  expect(await ask(a, "2.0.1", event("a", 1))).toBe("Accepted");
  expect(await ask(b, "2.1", event("b", 1, { triggerReason: "StopAuthorized" }))).toBe("Accepted");
  expect(await ask(a, "2.0.1", event("a", 2, { eventType: "Ended" }))).toBe("Accepted");
  expect(await ask(b, "2.1", event("c", 0, { eventType: "Started" }))).toBe("Accepted");
});

test("who starts by a button has no token to be limited (NoAuthorization)", async () => {
  for (const transactionId of ["n1", "n2"]) {
    const station = await scene.newStation("2.0.1");
    const payload = {
      eventType: "Started",
      timestamp: new Date().toISOString(),
      triggerReason: "CablePluggedIn",
      seqNo: 0,
      transactionInfo: { transactionId },
      idToken: { idToken: "", type: "NoAuthorization" },
    };
    expect(statusOf(await scene.decide(station, "2.0.1", "TransactionEvent", payload))).toBe("Accepted");
  }
});

/** A running session of a token of its own, told to its station by its gateway. */
async function running() {
  const token = await newToken();
  const station = await scene.newStation("1.6");
  const start = startOf(token, "2026-05-01T10:00:00Z");
  const answer = await scene.decide(station, "1.6", "StartTransaction", start);
  const cp = connectionOf(station, "1.6", 1_700_000_000_000);
  await scene.file(cp.call("StartTransaction", start, { answer }));
  const elsewhere = async () =>
    statusOf(await scene.decide(await scene.newStation("1.6"), "1.6", "StartTransaction", startOf(token)));
  return { token, station, cp, elsewhere };
}

test("a session whose connector is Available again does not lock its driver out, nor one with a newer session in its place", async () => {
  const freed = await running();
  await scene.file(freed.cp.call("StatusNotification", { connectorId: 2, errorCode: "NoError", status: "Available" }));
  expect(await freed.elsewhere()).toBe("ConcurrentTx");
  await scene.file(freed.cp.call("StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Available" }));
  expect(await freed.elsewhere()).toBe("Accepted");

  const replaced = await running();
  await scene.decide(replaced.station, "1.6", "StartTransaction", startOf("stranger"));
  expect(
    await scene.rows("select state, given_up_reason from transactions where station_id = $1 order by id", [
      replaced.station.id,
    ]),
  ).toEqual([
    { state: "active", given_up_reason: "newer_transaction" },
    { state: "active", given_up_reason: null },
  ]);
  expect(await replaced.elsewhere()).toBe("Accepted");
});

test("nor one of a station that is silent for an hour, that is retired, or that was never told its number", async () => {
  const silent = await running();
  await scene.rows("update station_seen set last_seen_at = now() - interval '61 minutes' where station_id = $1", [
    silent.station.id,
  ]);
  expect(await silent.elsewhere()).toBe("ConcurrentTx");
  await scene.rows("update transactions set created_at = now() - interval '61 minutes' where station_id = $1", [
    silent.station.id,
  ]);
  expect(await silent.elsewhere()).toBe("Accepted");

  const retired = await running();
  await scene.rows("update stations set retired_at = now() where id = $1", [retired.station.id]);
  expect(await retired.elsewhere()).toBe("Accepted");

  const untold = await running();
  await scene.rows(
    "update transactions set start_confirmed_at = null, created_at = now() - interval '6 minutes' where station_id = $1",
    [untold.station.id],
  );
  expect(await untold.elsewhere()).toBe("Accepted");
});

test("[D8] the same token of another organisation is another token", async () => {
  const token = await newToken();
  const other = await scene.newProject();
  await scene.token(token, {}, other);
  const [mine, theirs] = [await scene.newStation("1.6"), await scene.newStation("1.6", other)];
  expect(statusOf(await scene.decide(mine, "1.6", "StartTransaction", startOf(token)))).toBe("Accepted");
  expect(statusOf(await scene.decide(theirs, "1.6", "StartTransaction", startOf(token)))).toBe("Accepted");
});
