import { describe, expect, test } from "vitest";
import { decodeFrame, encodeCall, encodeCallError, encodeCallResult, encodeCallResultError } from "./ocpp-frame.ts";

describe("OCPP-J frame", () => {
  test("[F1] what we encode is what a peer decodes", () => {
    expect(decodeFrame(encodeCall("a", "Reset", '{"type":"Soft"}'))).toEqual({
      ok: true,
      value: { kind: "call", messageId: "a", action: "Reset", payload: { type: "Soft" } },
    });
    expect(decodeFrame(encodeCallResult('quote"d', "{}"))).toEqual({
      ok: true,
      value: { kind: "callResult", messageId: 'quote"d', payload: {} },
    });
    expect(decodeFrame(encodeCallError("a", "NotSupported", "x".repeat(300)))).toEqual({
      ok: true,
      value: { kind: "callError", messageId: "a", code: "NotSupported", description: "x".repeat(255), details: {} },
    });
  });

  test("[F12] a null payload stands for none", () => {
    expect(decodeFrame('[2,"a","Heartbeat",null]')).toMatchObject({ ok: true, value: { payload: {} } });
  });

  test("[F1] 2.1 has SEND and CALLRESULTERROR", () => {
    expect(decodeFrame(encodeCallResultError("a", "FormatViolation", "x".repeat(300)))).toEqual({
      ok: true,
      value: {
        kind: "callResultError",
        messageId: "a",
        code: "FormatViolation",
        description: "x".repeat(255),
        details: {},
      },
    });
    expect(decodeFrame('[6,"a","NotifyPeriodicEventStream",{"id":1}]')).toMatchObject({
      ok: true,
      value: { kind: "send" },
    });
    expect(decodeFrame('[5,"a","FormatViolation","",{}]')).toMatchObject({
      ok: true,
      value: { kind: "callResultError" },
    });
  });

  test.each([
    ["nonsense", "not-json", null, null],
    ["{}", "not-an-array", null, null],
    ["[]", "no-message-id", null, null],
    ["[2]", "no-message-id", null, 2],
    ['[2,7,"Heartbeat",{}]', "no-message-id", null, 2],
    ['[2,"","Heartbeat",{}]', "no-message-id", null, 2],
    [`[2,"${"i".repeat(37)}","Heartbeat",{}]`, "long-message-id", null, 2],
    ['[2,"a"]', "no-action", "a", 2],
    ['[2,"a",{},{}]', "no-action", "a", 2],
    ['[2,"a","Heartbeat"]', "no-payload", "a", 2],
    ['[7,"a","Heartbeat",{}]', "unknown-type", "a", 7],
    ['["2","a","Heartbeat",{}]', "unknown-type", "a", null],
    [`[2,"a","Heartbeat",{"customData":${"[".repeat(63)}${"]".repeat(63)}}]`, "too-deep", "a", 2],
    [`[3,"a",${'{"x":'.repeat(100_000)}1${"}".repeat(100_000)}]`, "too-deep", "a", 3],
  ])("[C4] [F5] %s is broken: %s", (text, what, messageId, type) => {
    expect(decodeFrame(text)).toMatchObject({ ok: false, error: { what, messageId, type } });
  });

  test("an error whose code and description are no texts has none, whatever they call themselves", () => {
    const hostile = '{"toString":1,"valueOf":1}';
    expect(decodeFrame(`[4,"a",${hostile},${hostile},{}]`)).toEqual({
      ok: true,
      value: { kind: "callError", messageId: "a", code: "", description: "", details: {} },
    });
  });

  test("[C18] brackets in texts are no nesting, and 64 levels are borne", () => {
    const payload = JSON.stringify({ data: `\\"${"[{".repeat(200)}`, deep: "@" }).replace(
      '"@"',
      `${"[".repeat(62)}${"]".repeat(62)}`,
    );
    expect(decodeFrame(`[2,"a","DataTransfer",${payload}]`)).toMatchObject({ ok: true });
  });
});
