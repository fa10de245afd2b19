import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createMetrics } from "../metrics.ts";
import { Session } from "../sockets/session.ts";
import { Conversation } from "./conversation.ts";
import { PlainAnswers } from "./plain-answers.ts";
import type { PlainAction } from "./plain-actions.ts";
import { ResultBytes, resultTail } from "./result-bytes.ts";
import { WaitingBytes } from "./waiting-bytes.ts";

const ENTRY = Buffer.from('[2,"a1","X",{}] [2,"b22","Y",{}] [2,"c","X",{}]');

/** Three CALLs of three connections, in one entry. */
function scene(send: (identity: string, text: string) => boolean = () => true) {
  const metrics = createMetrics({ version: "test", nodeId: "node-1" });
  const freed: PlainAnswers[] = [];
  const answers = new PlainAnswers({
    metrics,
    nowMs: () => Date.UTC(2026, 0, 1),
    monotonicMs: () => 5,
    results: new ResultBytes(),
    free: (done) => freed.push(done),
  });
  const action = (answer: Uint8Array | undefined): PlainAction => ({
    scan: () => -1,
    answer,
    frames: { count: 0 },
    durations: metrics.callDuration.series({ direction: "in", action: "X", outcome: "result" }),
  });
  const sent: string[] = [];
  const closed: string[] = [];
  const sessions = ["cs-1", "cs-2", "cs-3"].map((identity) => {
    const session = new Session(
      {
        identity: identity as StationIdentity,
        version: "1.6",
        epoch: 1,
        record: {} as StationRecord,
        remoteAddress: "",
      },
      {
        send(bytes) {
          const text = Buffer.from(bytes).toString();
          if (!send(identity, text)) return false;
          sent.push(`${identity} ${text}`);
          return true;
        },
        close: (code) => void closed.push(`${identity} ${code}`),
        answersPing: async () => true,
        recordChanged: () => undefined,
      },
      pino({ level: "silent" }),
    );
    session.conversation = new Conversation(session, () => "stored", {
      waiting: new WaitingBytes(1_000),
      monotonicMs: () => 0,
      after: () => undefined,
    });
    return session;
  });
  const answerOf = [action(resultTail("{}")), action(undefined), action(resultTail('{"status":"Accepted"}'))];
  const ids = [
    { idAt: 4, idEnd: 6 },
    { idAt: 20, idEnd: 23 },
    { idAt: 37, idEnd: 38 },
  ];
  sessions.forEach((session, at) => {
    const { conversation } = session;
    const { idAt, idEnd } = ids[at] as (typeof ids)[0];
    if (conversation === undefined || !conversation.enterLane(0)) throw new Error("no token");
    answers.add(session, conversation, answerOf[at] as PlainAction, idAt, idEnd, 1);
  });
  return { answers, freed, sent, closed, sessions, metrics };
}

test("each is answered under its own id, in the order of the entry", async () => {
  const { answers, freed, sent, sessions, metrics } = scene();
  answers.told(true, ENTRY);
  expect(sent).toEqual([
    'cs-1 [3,"a1",{}]',
    'cs-2 [3,"b22",{"currentTime":"2026-01-01T00:00:00.000Z"}]',
    'cs-3 [3,"c",{"status":"Accepted"}]',
  ]);
  expect(sessions.map(({ waitingFrames }) => waitingFrames)).toEqual([0, 0, 0]);
  const { values } = await metrics.callDuration.get();
  expect(values.filter(({ metricName }) => !metricName.endsWith("bucket")).map(({ value }) => value)).toEqual([
    0.012, 3,
  ]);
  // Used again, it tells nobody twice.
  expect(freed).toEqual([answers]);
  answers.told(true, ENTRY);
  expect(sent).toHaveLength(3);
});

test("[I1] what is not stored is not answered: its stations are let go, and say it again", async () => {
  const { answers, sent, closed, sessions, metrics } = scene();
  sessions[2]?.close(1012, "gone by itself");
  answers.told(false, Buffer.alloc(0));
  expect([sent, closed]).toEqual([[], ["cs-3 1012", "cs-1 1013", "cs-2 1013"]]);
  expect(sessions.map(({ waitingFrames }) => waitingFrames)).toEqual([0, 0, 0]);
  expect((await metrics.backpressureDrops.get()).values).toMatchObject([{ labels: { why: "not-stored" }, value: 2 }]);
});

test("[I9] an answer that cannot be given ends its own connection, and keeps none behind it", () => {
  const { answers, freed, sent, closed, sessions } = scene((identity) => {
    if (identity === "cs-1") throw new Error("thrown");
    return true;
  });
  expect(() => answers.told(true, ENTRY)).toThrow("thrown");
  expect([sent.length, closed]).toEqual([2, ["cs-1 1011"]]);
  expect(sessions.map(({ waitingFrames }) => waitingFrames)).toEqual([0, 0, 0]);
  expect(freed).toEqual([answers]);
});

test("[I9] a fault in what waits behind a CALL ends its own connection, and keeps no other waiting", () => {
  const { answers, freed, sent, closed, sessions } = scene();
  sessions[0]?.conversation?.answerInTurn(() => {
    throw new Error("thrown behind it");
  });
  expect(() => answers.told(true, ENTRY)).toThrow("thrown behind it");
  expect(sent.map((text) => text.slice(0, 4))).toEqual(["cs-1", "cs-2", "cs-3"]);
  expect(closed).toEqual(["cs-1 1011"]);
  expect(sessions.slice(1).map(({ waitingFrames }) => waitingFrames)).toEqual([0, 0]);
  expect(freed).toEqual([answers]);
});
