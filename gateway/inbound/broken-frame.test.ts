import { decodeFrame } from "@dynamo-csms/proto/ocpp-frame";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { describe, expect, test } from "vitest";
import { replyToBrokenFrame } from "./broken-frame.ts";

function replyTo(version: OcppVersion, text: string): unknown {
  const decoded = decodeFrame(text);
  if (decoded.ok) throw new Error("that is a frame");
  const reply = replyToBrokenFrame(version, decoded.error);
  return reply === undefined ? undefined : (JSON.parse(reply) as unknown[]).slice(0, 3);
}

describe.each(["2.0.1", "2.1"] as const)("%s", (version) => {
  test.each(["}{", "{}", "[]", "[2]", '[2,"","Heartbeat",{}]', `[2,"${"x".repeat(37)}","Heartbeat",{}]`])(
    "[F8] answers %s, whose id cannot be read, under the id -1",
    (text) => expect(replyTo(version, text)).toEqual([4, "-1", "RpcFrameworkError"]),
  );

  test.each(['[2,"a"]', '[2,"a",5,{}]', '["2","a","Heartbeat",{}]'])("[F8] answers %s under its id", (text) =>
    expect(replyTo(version, text)).toEqual([4, "a", "RpcFrameworkError"]),
  );
});

test("[F8] [1.3-codes] a CALL without its payload is a protocol error in every version", () => {
  for (const version of ["1.6", "2.0.1", "2.1"] as const)
    expect(replyTo(version, '[2,"a","Heartbeat"]')).toEqual([4, "a", "ProtocolError"]);
});

test("[C18] [F8] a frame nested too deeply is refused under its id, if it is a CALL", () => {
  const deep = (type: number) => `[${type},"a","DataTransfer",${"[".repeat(10_000)}${"]".repeat(10_000)}]`;
  expect(replyTo("1.6", deep(2))).toEqual([4, "a", "FormationViolation"]);
  expect(replyTo("2.0.1", deep(2))).toEqual([4, "a", "FormatViolation"]);
  expect(replyTo("2.1", deep(3))).toBeUndefined();
});

test("[F5] [F8] a CALL whose id is a number is refused under that number; nothing else is", () => {
  for (const version of ["1.6", "2.0.1", "2.1"] as const) {
    expect(replyTo(version, '[2,17,"Heartbeat",{}]')).toEqual([4, 17, "ProtocolError"]);
    expect(replyTo(version, "[3,17,{}]")).toBeUndefined();
  }
  expect(replyTo("2.1", '[2,1e400,"Heartbeat",{}]')).toEqual([4, "-1", "RpcFrameworkError"]);
});

test("[F8] 1.6 answers a broken CALL whose id can be read, and has no word for the rest", () => {
  expect(replyTo("1.6", '[2,"a"]')).toEqual([4, "a", "FormationViolation"]);
  for (const text of ["}{", "{}", "[2]", `[2,"${"x".repeat(37)}","Heartbeat",{}]`])
    expect(replyTo("1.6", text)).toBeUndefined();
});

test("[F9] [C5] an unknown message type is ignored by 1.6 and 2.1, and answered by 2.0.1", () => {
  const text = '[7,"a","Heartbeat",{}]';
  expect(replyTo("1.6", text)).toBeUndefined();
  expect(replyTo("2.0.1", text)).toEqual([4, "a", "MessageTypeNotSupported"]);
  expect(replyTo("2.1", text)).toBeUndefined();
});

test("[F9] whatever else is wrong with a frame of an unknown type, it is one of an unknown type", () => {
  for (const text of [`[7,"a",${"[".repeat(100)}${"]".repeat(100)}]`, '[7,"a"]', "[7]"]) {
    expect([replyTo("1.6", text), replyTo("2.1", text)]).toEqual([undefined, undefined]);
    expect(replyTo("2.0.1", text)).toEqual([4, text === "[7]" ? "-1" : "a", "MessageTypeNotSupported"]);
  }
});

test("[F9] the message types of 2.1 alone are unknown to the older versions", () => {
  for (const text of ['[5,"a","GenericError","",{}]', '[6,"a","NotifyPeriodicEventStream",{}]']) {
    const type = Number(text[1]);
    const reply = (version: OcppVersion) => {
      const told = replyToBrokenFrame(version, { what: "unknown-type", messageId: "a", type });
      return told === undefined ? undefined : (JSON.parse(told) as unknown[]).slice(0, 3);
    };
    expect([reply("1.6"), reply("2.0.1"), reply("2.1")]).toEqual([
      undefined,
      [4, "a", "MessageTypeNotSupported"],
      undefined,
    ]);
  }
});

test.each(["1.6", "2.0.1", "2.1"] as const)("[F4] [F10] in %s a broken answer or SEND is never answered", (version) => {
  for (const type of [3, 4, 5, 6]) expect(replyTo(version, `[${type}]`)).toBeUndefined();
});

test("[F8] the text of the broken frame does not come back in the answer", () => {
  const decoded = decodeFrame('[2,"a","<script>');
  expect(decoded.ok).toBe(false);
  if (!decoded.ok) expect(replyToBrokenFrame("2.1", decoded.error)).not.toContain("script");
});
