import { expect, test } from "vitest";
import { rawPayload } from "./raw-payload.ts";

const of = (frame: string, kind: "call" | "callResult" = "call") =>
  rawPayload(frame, kind, (JSON.parse(frame) as unknown[])[kind === "call" ? 3 : 2] ?? {});

test("[C23] numbers stay as they were written", () => {
  expect(of('[2,"a","MeterValues",{"v":9007199254740993,"w":1.10,"x":1e3}]')).toBe(
    '{"v":9007199254740993,"w":1.10,"x":1e3}',
  );
  expect(of('[3,"a",{"v":9007199254740993}]', "callResult")).toBe('{"v":9007199254740993}');
});

test("blanks, line breaks, and quotes and brackets in the id do not mislead it", () => {
  expect(of(' [ 2 ,\n"a\\",[]{" , "B\\\\" , {"c":"]"} ] ')).toBe('{"c":"]"}');
});

test("[F12] null stands for an empty payload, and parts behind the payload are left out", () => {
  expect(of('[2,"a","Heartbeat",null]')).toBe("{}");
  expect(of('[2,"a","Heartbeat",{"b":1},"more"]')).toBe('{"b":1}');
});
