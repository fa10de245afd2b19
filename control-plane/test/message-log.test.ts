import { afterAll, beforeAll, expect, test } from "vitest";
import { type LoggedFrame, recordFrames } from "../message-log/record-frames.ts";
import { hashApiKey } from "../organizations/api-key.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { registeringInstaller } from "./registering-installer.ts";
import { openStream } from "./message-stream.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

/** A unit with a log of its own, and a key that may read it but not the tokens in it. */
async function scene(of: ApiWorld = world) {
  const { register, key, orgId } = await registeringInstaller(of);
  const { body } = await register({ ocpp_version: "1.6" });
  const [row] = await of.sql.query<{ id: string }>("select id::text as id from stations where charge_point_id = $1", [
    body.charge_point_id,
  ]);
  const stationId = row!.id;
  const path = `/api/v1/charge-points/${body.charge_point_id}/messages`;
  const frame = (seq: number, raw: string, more: Partial<LoggedFrame> = {}): LoggedFrame => {
    const [, id, action] = /^\[[26],"([^"]*)","(\w+)"/.exec(raw) ?? [];
    return {
      stationId,
      epoch: 7,
      seq,
      receivedAt: new Date(),
      direction: "inbound",
      flagged: false,
      action: action ?? null,
      messageId: id ?? null,
      raw,
      answer: null,
      ...more,
    };
  };
  return {
    key,
    orgId,
    stationId,
    path,
    frame,
    log: (...frames: LoggedFrame[]) => recordFrames(world.sql, frames),
    list: async (query = "") => (await of.ask("GET", `${path}?${query}`, { as: key })).body,
    seqs: async (query: string): Promise<number[]> =>
      (await world.ask("GET", `${path}?${query}`, { as: key })).body.messages.map((one: { seq: number }) => one.seq),
  };
}

test("the log is shown newest first, in pages, with what became of each frame", async () => {
  const { frame, list } = await scene();
  await world.sql.query("insert into lanes (id, node_id) values ('lane-shown', 'gateway-7')");
  const receivedAt = new Date("2026-05-01T10:30:05.120Z");
  await recordFrames(
    world.sql,
    [1, 2, 3, 4, 5].map((n) =>
      frame(n, `[2,"m${n}","StatusNotification",{"connectorId":1}]`, {
        receivedAt,
        latencyMs: n === 5 ? 12 : undefined,
      }),
    ),
    "lane-shown",
  );
  const first = await list("limit=3");
  expect(first.messages.map((one: { seq: number }) => one.seq)).toEqual([5, 4, 3]);
  expect(first.messages[0]).toEqual({
    received_at: "2026-05-01T10:30:05.120Z",
    direction: "from_charge_point",
    type: "CALL",
    action: "StatusNotification",
    message_id: "m5",
    raw: '[2,"m5","StatusNotification",{"connectorId":1}]',
    truncated: false,
    answer: '[3,"m5",{}]',
    answer_source: "derived",
    validation: "ok",
    error_code: null,
    breaks_schema: false,
    latency_ms: 12,
    node_id: "gateway-7",
    connection: 7,
    epoch: 7,
    seq: 5,
  });
  const second = await list(`limit=3&cursor=${first.next_cursor}`);
  expect([second.messages.map((one: { seq: number }) => one.seq), second.has_more]).toEqual([[2, 1], false]);
});

test("[C13] frames that are shown whole come a few at a time, however often a station uses the same id", async () => {
  const { frame, log, list } = await scene();
  await log(...Array.from({ length: 12 }, (_, n) => frame(n + 1, '[2,"same","StatusNotification",{}]')));
  const first = await list("message_id=same&limit=200");
  expect([first.messages.length, first.has_more]).toEqual([10, true]);
  const second = await list(`message_id=same&limit=200&cursor=${first.next_cursor}`);
  expect([second.messages.length, second.has_more]).toEqual([2, false]);
});

test("it is filtered by time, action, direction, message id and what the schema said", async () => {
  const { frame, log, seqs, list } = await scene();
  const at = (seconds: number) => new Date(Date.parse("2026-05-01T10:30:00Z") + seconds * 1_000);
  const refused = '[4,"b","FormationViolation","/x is not known",{}]';
  await log(
    frame(1, '[2,"a","Heartbeat",{}]', { receivedAt: at(1) }),
    frame(2, '[2,"b","StatusNotification",{}]', { receivedAt: at(2), flagged: true, answer: refused }),
    frame(3, '[2,"c","StopTransaction",{}]', { receivedAt: at(3), flagged: true, answer: '[3,"c",{}]' }),
    frame(4, '[2,"d","Reset",{"type":"Soft"}]', { receivedAt: at(4), direction: "outbound" }),
    frame(5, '[3,"d",{"status":"Accepted"}]', { receivedAt: at(5), messageId: "d" }),
    frame(6, "no frame", { receivedAt: at(6), flagged: true }),
  );
  expect(await seqs("action=StopTransaction")).toEqual([3]);
  expect(await seqs("direction=to_charge_point")).toEqual([4]);
  expect(await seqs("message_id=d")).toEqual([5, 4]);
  expect(await seqs("validation=refused")).toEqual([2]);
  expect(await seqs("validation=flagged")).toEqual([6, 3]);
  expect(await seqs("validation=ok")).toEqual([5, 4, 1]);
  expect(await seqs("flagged=true&order=oldest_first")).toEqual([2, 3, 6]);
  expect(await seqs("from=2026-05-01T10:30:02Z&to=2026-05-01T10:30:04Z")).toEqual([3, 2]);
  const shown = (await list("order=oldest_first")).messages;
  expect(shown.map((one: { type: string }) => one.type)).toEqual([
    "CALL",
    "CALL",
    "CALL",
    "CALL",
    "CALLRESULT",
    "unreadable",
  ]);
  expect(shown[0]).toMatchObject({
    answer: '[3,"a",{"currentTime":"2026-05-01T10:30:01.000Z"}]',
    answer_source: "derived",
  });
  expect(shown[1]).toMatchObject({
    validation: "refused",
    error_code: "FormationViolation",
    answer: refused,
    answer_source: "stored",
  });
  expect(shown[3]).toMatchObject({ answer: null, answer_source: null });
});

test("our own CALL shows how long the charge point took to answer it", async () => {
  const { frame, log, list, orgId, stationId } = await scene();
  await log(
    frame(1, '[2,"cmd_x1","Reset",{}]', { direction: "outbound" }),
    frame(2, '[2,"cmd_x2","Reset",{}]', { direction: "outbound" }),
  );
  await world.sql.query(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, deadline_at, sent_at, answered_at)
     values ('cmd_x1', $1, $2, '1.6', 'Reset', '{}', 'test', 'accepted', now(), now(), now() + interval '345 milliseconds')`,
    [orgId, stationId],
  );
  expect((await list()).messages.map((one: { latency_ms: number | null }) => one.latency_ms)).toEqual([null, 345]);
});

test("an answer of the charge point has the action of our command, and the filter finds it", async () => {
  const { frame, log, list, seqs, orgId, stationId } = await scene();
  const other = await scene();
  const command = (id: string, of: { orgId: string; stationId: string }) =>
    world.sql.query(
      `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, deadline_at)
       values ($1, $2, $3, '1.6', 'TriggerMessage', '{}', 'test', 'accepted', now())`,
      [id, of.orgId, of.stationId],
    );
  await command("cmd_mine", { orgId, stationId });
  await command("cmd_theirs", other);
  await log(
    frame(1, '[2,"cmd_mine","TriggerMessage",{}]', { direction: "outbound" }),
    frame(2, '[3,"cmd_mine",{"status":"Accepted"}]', { messageId: "cmd_mine" }),
    frame(3, '[3,"cmd_theirs",{"status":"Accepted"}]', { messageId: "cmd_theirs" }),
    frame(4, '[2,"cmd_mine","Heartbeat",{}]'),
  );
  expect(await seqs("action=TriggerMessage")).toEqual([2, 1]);
  expect(await seqs("action=Heartbeat")).toEqual([4]);
  expect((await list()).messages.map((one: { action: string | null }) => one.action)).toEqual([
    "Heartbeat",
    null,
    "TriggerMessage",
    "TriggerMessage",
  ]);
});

test("tokens are masked for keys without their scope, in frames and answers", async () => {
  const { frame, log, list, key } = await scene();
  const raw = '[2,"1","StartTransaction",{"connectorId":1,"idTag":"04A2B3C4D5E680","meterStart":1.50}]';
  await log(
    frame(1, raw, {
      answer: '[3,"1",{"transactionId":1,"idTagInfo":{"status":"Accepted","parentIdTag":"FLEET-0007"}}]',
    }),
    frame(2, '[2,"2","Authorize",{"idTag":"04A2B3C4D5E6'),
  );
  expect((await list()).messages[1].raw).toBe(raw);
  await world.sql.query("update api_keys set scopes = array_remove(scopes, 'read:id_tokens') where key_hash = $1", [
    hashApiKey(key),
  ]);
  const { messages } = await list();
  expect(messages[1].raw).toBe('[2,"1","StartTransaction",{"connectorId":1,"idTag":"04…80","meterStart":1.50}]');
  expect(messages[1].answer).toContain('"parentIdTag":"FL…07"');
  expect(messages[0].raw).not.toContain("04A2");
});

// Broken once on purpose: with the text shown as it is stored (mask-secrets.ts, maskSecretSettings) it fails: the password
// is in the answer.
test("[I12] [1.2-not-echoed] a password that got past the gateway's mask is shown neither in the log nor in its stream", async () => {
  const { frame, log, list, path, key } = await scene();
  const stream = await openStream(world.url + path, key);
  await log(
    frame(1, '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"00112233445566778899"}]', {
      direction: "outbound",
    }),
    frame(
      2,
      '[3,"2",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"00112233445566778899"}]}]',
    ),
  );
  expect(JSON.stringify(await list())).not.toContain("00112233");
  const events = await stream.take(2);
  expect(JSON.stringify(events)).not.toContain("00112233");
  expect(events[0]?.data.raw).toContain('"value":"***"');
  stream.close();
});

test("[D11] what a station writes is data, in the list and in the stream: no line, no event of its own", async () => {
  const { frame, log, list, path, key } = await scene();
  const stream = await openStream(world.url + path, key);
  const info = 'x\n\nevent: message\ndata: {"raw":"forged"}\r\n\u001b[31m${jndi:ldap://x}<script>=HYPERLINK()';
  const raw = JSON.stringify([2, "1", "StatusNotification", { info }]);
  await log(frame(1, raw), frame(2, `not JSON\n\ndata: {}\u2028\n\n`));
  expect((await list()).messages[1].raw).toBe(raw);
  const events = await stream.take(2);
  expect(events.map((event) => [event.id, event.data.raw])).toEqual([
    ["7-1", raw],
    ["7-2", `not JSON\n\ndata: {}\u2028\n\n`],
  ]);
  stream.close();
});

test("a long frame is cut in lists, and whole where it is asked for by its id", async () => {
  const { frame, log, list } = await scene();
  const raw = `[2,"big","DataTransfer",{"vendorId":"v","data":"${"é".repeat(70_000)}"}]`;
  await log(frame(1, raw));
  const [cut] = (await list()).messages;
  expect([cut.truncated, cut.raw]).toEqual([true, raw.slice(0, 65_536)]);
  const [whole] = (await list("message_id=big")).messages;
  expect([whole.truncated, whole.raw]).toEqual([false, raw]);
});

test("the stream sends what comes, once, also what is filed out of order, and goes on behind the last event", async () => {
  const { frame, log, path, key } = await scene();
  await log(frame(1, '[2,"1","Heartbeat",{}]'));
  const stream = await openStream(world.url + path, key);
  await log(frame(4, '[2,"4","Heartbeat",{}]'));
  expect((await stream.take(1)).map((event) => event.id)).toEqual(["7-4"]);
  // Decided late: their places were taken before that of the frame above.
  await log(
    frame(2, '[2,"2","StartTransaction",{}]'),
    frame(3, '[2,"3","Heartbeat",{}]'),
    frame(5, '[2,"5","Heartbeat",{}]'),
  );
  expect((await stream.take(3)).map((event) => event.id)).toEqual(["7-2", "7-3", "7-5"]);
  await log(frame(1, '[2,"6","Heartbeat",{}]', { epoch: 8 }));
  expect((await stream.take(1)).map((event) => event.id)).toEqual(["8-1"]);
  stream.close();
  await log(frame(6, '[2,"7","Heartbeat",{}]'), frame(2, '[2,"8","Heartbeat",{}]', { epoch: 8 }));
  const again = await openStream(world.url + path, key, { "last-event-id": "7-5" });
  expect((await again.take(3)).map((event) => event.id)).toEqual(["7-6", "8-1", "8-2"]);
  again.close();
});

test("streams end after their time, are bounded per organisation, and give their places back", async () => {
  const bounded = await startApiWorld({ MESSAGE_STREAMS_PER_ORGANIZATION: "2", MESSAGE_STREAM_SECONDS: "4" });
  const [mine, theirs] = [await scene(bounded), await scene(bounded)];
  const open = [
    await openStream(bounded.url + mine.path, mine.key),
    await openStream(bounded.url + mine.path, mine.key),
  ];
  const third = () => bounded.ask("GET", `${mine.path}/stream`, { as: mine.key });
  const refused = await third();
  expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited" } });
  expect(refused.headers.get("retry-after")).toBe("30");
  const other = await openStream(bounded.url + theirs.path, theirs.key);
  other.close();
  open[0]?.close();
  // The first place is free as soon as the server noticed; the second by itself, when the time is up.
  await expect
    .poll(
      async () =>
        (
          await fetch(`${bounded.url}${mine.path}/stream`, {
            method: "HEAD",
            headers: { authorization: `Bearer ${mine.key}` },
          })
        ).status,
    )
    .toBe(200);
  let again: Awaited<ReturnType<typeof openStream>> | undefined;
  await expect
    .poll(async () => {
      again = await openStream(bounded.url + mine.path, mine.key).catch(() => undefined);
      return again !== undefined;
    })
    .toBe(true);
  expect((await open[1]!.untilEnd()).at(-1)?.event).toBe("end");
  again?.close();
  await bounded.close();
});

test("a stream is its organisation's own, and needs the scope", async () => {
  const [mine, theirs] = [await scene(), await scene()];
  expect((await world.ask("GET", `${mine.path}/stream`, { as: theirs.key })).status).toBe(404);
  const { key } = await world.organization(["read:charge_points"]);
  expect((await world.ask("GET", `${mine.path}/stream`, { as: key })).status).toBe(403);
});
