import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { pino } from "pino";
import { expect, test } from "vitest";
import { Session } from "../sockets/session.ts";
import { Conversation, type ReceivedCall, type TakeTurn } from "./conversation.ts";
import { WaitingBytes } from "./waiting-bytes.ts";

/** A connection whose CALLs are all held until `nextTurn`, unless `takeTurn` says otherwise. */
function scene(waiting: WaitingBytes, takeTurn: TakeTurn = () => "holds-turn") {
  const closed: number[] = [];
  let nowMs = 0;
  let timers: { atMs: number; run: () => void }[] = [];
  const session = new Session(
    { identity: "cs-1" as StationIdentity, version: "1.6", epoch: 7, record: {} as StationRecord, remoteAddress: "" },
    {
      send: () => true,
      close: (code) => void closed.push(code),
      answersPing: async () => true,
      recordChanged: () => undefined,
    },
    pino({ level: "silent" }),
  );
  const conversation = new Conversation(session, takeTurn, {
    waiting,
    monotonicMs: () => nowMs,
    after: (ms, run) => void timers.push({ atMs: nowMs + ms, run }),
  });
  /** Lets time pass, and what waits for it happen. */
  function pass(ms: number): void {
    for (const untilMs = nowMs + ms; nowMs < untilMs;) {
      nowMs += 1;
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { run } of due) run();
    }
  }
  const receive = (bytes: number) => conversation.receive({ bytes: Buffer.alloc(bytes) } as unknown as ReceivedCall);
  return { conversation, session, receive, closed, pass };
}

// Broken once on purpose: without the limit (waiting-bytes.ts, take) it fails: "taken" for "no-room".
test("[I9] what waits for decisions is bounded in bytes, over all connections", () => {
  const waiting = new WaitingBytes(100);
  const [first, second] = [scene(waiting), scene(waiting)];
  expect([first.receive(40), first.receive(40), second.receive(40)]).toEqual(["taken", "taken", "no-room"]);
  first.conversation.nextTurn();
  expect([second.receive(40), second.receive(40)]).toEqual(["taken", "no-room"]);
  // What a closed connection had waiting leaves with the end of its turn.
  expect(first.receive(20)).toBe("taken");
  first.session.close(1013, "");
  first.conversation.nextTurn();
  expect([second.receive(60), second.receive(1)]).toEqual(["taken", "no-room"]);
});

test("what is stored at once does not count", () => {
  const { receive } = scene(new WaitingBytes(100), () => "stored");
  expect([receive(100), receive(100)]).toEqual(["taken", "taken"]);
});

test("a fault ends its connection, and leaves nothing counted", () => {
  const waiting = new WaitingBytes(100);
  const { receive, closed } = scene(waiting, () => {
    throw new Error("thrown");
  });
  expect(() => receive(100)).toThrow("thrown");
  expect(closed).toEqual([1011]);
  expect(waiting.take(100)).toBe(true);
});

/** A connection whose CALLs are stored and answered at once, one after the other, as of a station that keeps to F2. */
function politeScene() {
  const waiting = new WaitingBytes(64 * 1024 * 1024);
  let taken = 0;
  const made = scene(waiting, () => {
    taken += 1;
    made.session.waitingFrames -= 1;
    return "stored";
  });
  return { ...made, taken: () => taken, waiting };
}

// Broken once on purpose: without the rate (conversation.ts, #go) it fails: 3,000 CALLs are taken at once for 1,001.
test("[I9] [F3] [1.6-historic] a thousand CALLs from a time offline are taken at once, the others at a steady rate; none is dropped", () => {
  const { receive, pass, taken, closed } = politeScene();
  let sent = 0;
  const sendAll = (upTo: number) => {
    // The next one follows its answer, as the specification has it.
    while (sent < upTo && taken() === sent) {
      expect(receive(100)).toBe("taken");
      sent += 1;
    }
  };
  sendAll(3_000);
  expect([sent, taken()]).toEqual([1_001, 1_000]);
  for (let ms = 0; ms < 21_000; ms += 10) {
    pass(10);
    sendAll(3_000);
  }
  expect([sent, taken(), closed]).toEqual([3_000, 3_000, []]);
});

// Broken once on purpose: without the bound of waiting CALLs (conversation.ts, receive) it fails: nothing is closed.
test("[I9] [F3] past the rate the CALLs of a station that does not wait are bounded all the same", () => {
  const { receive, pass, taken } = politeScene();
  const outcomes = Array.from({ length: 1_000 + 17 }, () => receive(10));
  expect(outcomes.filter((outcome) => outcome === "too-many")).toHaveLength(1);
  expect(taken()).toBe(1_000);
  pass(161);
  expect(taken()).toBe(1_016);
});

test("[F13] refused CALLs cost more: their station is slowed down sooner, and still gets each answer", () => {
  const { conversation, receive, pass, taken } = politeScene();
  let sent = 0;
  while (sent < 1_000 && taken() === sent) {
    receive(10);
    sent += 1;
    conversation.chargeRefusal();
  }
  expect(taken()).toBe(500);
  pass(21);
  expect(taken()).toBe(501);
});

test("large CALLs cost more than small ones", () => {
  const { receive, taken } = politeScene();
  let sent = 0;
  while (sent < 100 && taken() === sent) {
    receive(1024 * 1024);
    sent += 1;
  }
  expect(taken()).toBe(16);
});

test("what waits for its rate when the connection ends is let go of", () => {
  const { receive, pass, taken, session, waiting } = politeScene();
  for (let n = 0; n < 1_010; n++) receive(10);
  session.close(1013, "");
  pass(1_000);
  expect(taken()).toBe(1_000);
  expect(waiting.take(64 * 1024 * 1024)).toBe(true);
});

test("[I9] an answer that cannot be given ends the connection, and what waited behind it is let go of", () => {
  const waiting = new WaitingBytes(100);
  const { conversation, session, receive, closed } = scene(waiting);
  receive(60);
  receive(40);
  const thrown = () => {
    throw new Error("thrown");
  };
  expect(() => conversation.answerInTurn(thrown)).toThrow("thrown");
  expect([closed, session.open]).toEqual([[1011], false]);
  expect(waiting.take(100)).toBe(true);
});

test("a connection is idle while nothing of it is held, few of its CALLs wait, and there is room for one more", () => {
  const waiting = new WaitingBytes(100);
  const { conversation, session, receive } = scene(waiting);
  expect([conversation.isIdle(100), conversation.isIdle(101)]).toEqual([true, false]);
  // What others wait with counts, too.
  waiting.take(50);
  expect([conversation.isIdle(50), conversation.isIdle(51)]).toEqual([true, false]);
  for (let n = 0; n < 16; n++) expect(conversation.isIdle(1) && conversation.enterLane(0)).toBe(true);
  expect(conversation.isIdle(1)).toBe(false);
  conversation.leftLane();
  expect([conversation.isIdle(1), session.waitingFrames]).toEqual([true, 15]);
  receive(1);
  expect(conversation.isIdle(1)).toBe(false);
});
