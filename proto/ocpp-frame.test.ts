import { describe, expect, test } from "vitest";
import { decodeFrame, encodeCall, encodeCallError, encodeCallResult } from "./ocpp-frame.ts";

describe("OCPP-J frame", () => {
  test("what we encode is what a peer decodes", () => {
    expect(decodeFrame(encodeCall("a", "Reset", '{"type":"Soft"}'))).toEqual({
      ok: true,
      value: { kind: "call", messageId: "a", action: "Reset", payload: { type: "Soft" } },
    });
    expect(decodeFrame(encodeCallResult('quote"d', "{}"))).toEqual({ ok: true, value: { kind: "callResult", messageId: 'quote"d', payload: {} } });
    expect(decodeFrame(encodeCallError("a", "NotSupported", "x".repeat(300)))).toEqual({
      ok: true,
      value: { kind: "callError", messageId: "a", code: "NotSupported", description: "x".repeat(255), details: {} },
    });
  });

  test("a null payload stands for none (F12)", () => {
    expect(decodeFrame('[2,"a","Heartbeat",null]')).toMatchObject({ ok: true, value: { payload: {} } });
  });

  test("2.1 has SEND and CALLRESULTERROR", () => {
    expect(decodeFrame('[6,"a","NotifyPeriodicEventStream",{"id":1}]')).toMatchObject({ ok: true, value: { kind: "send" } });
    expect(decodeFrame('[5,"a","FormatViolation","",{}]')).toMatchObject({ ok: true, value: { kind: "callResultError" } });
  });

  test.each([
    ["nonsense", "not-json", null, null],
    ["{}", "not-an-array", null, null],
    ["[]", "no-message-id", null, null],
    ["[2]", "no-message-id", null, 2],
    ["[2,7,\"Heartbeat\",{}]", "no-message-id", null, 2],
    ['[2,"","Heartbeat",{}]', "no-message-id", null, 2],
    [`[2,"${"i".repeat(37)}","Heartbeat",{}]`, "long-message-id", null, 2],
    ['[2,"a"]', "no-action", "a", 2],
    ['[2,"a",{},{}]', "no-action", "a", 2],
    ['[2,"a","Heartbeat"]', "no-payload", "a", 2],
    ['[7,"a","Heartbeat",{}]', "unknown-type", "a", 7],
    ['["2","a","Heartbeat",{}]', "unknown-type", "a", null],
  ])("%s is broken: %s", (text, what, messageId, type) => {
    expect(decodeFrame(text)).toEqual({ ok: false, error: { what, messageId, type } });
  });
});
