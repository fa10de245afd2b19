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
  const session = new Session(
    { identity: "cs-1" as StationIdentity, version: "1.6", epoch: 7, record: {} as StationRecord, remoteAddress: "" },
    { send: () => true, close: (code) => void closed.push(code) },
    pino({ level: "silent" }),
  );
  const conversation = new Conversation(session, takeTurn, waiting);
  const receive = (bytes: number) => conversation.receive({ bytes: Buffer.alloc(bytes) } as unknown as ReceivedCall);
  return { conversation, session, receive, closed };
}

test("what waits for decisions is bounded in bytes, over all connections", () => {
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
