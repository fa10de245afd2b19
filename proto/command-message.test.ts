import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type CloseMessage,
  type CommandMessage,
  type CommandReport,
  decodeCommandReport,
  decodeNodeMessage,
  encodeCommandReport,
  encodeNodeMessage,
  type NodeMessage,
} from "./command-message.ts";
import type { StationIdentity } from "./station-identity.ts";

const identity = "cp_01hxab1c2d3e" as StationIdentity;
const command: CommandMessage = {
  v: 1,
  kind: "command",
  commandId: "cmd_01hxab1c2d3e01hxab1c2d3e01",
  identity,
  epoch: 1_777_631_000_000,
  version: "1.6",
  action: "TriggerMessage",
  payload: '{"requestedMessage":"MeterValues","connectorId":1}',
  callTimeoutMs: 30_000,
  deadlineAtMs: 1_777_631_040_000,
  askerId: "api-1",
};
const validFor: CommandMessage = { ...command, validForMs: 30_000 };
const close: CloseMessage = { v: 1, kind: "close", identity, belowEpoch: 12, reason: "superseded" };
const later: NodeMessage[] = [
  { v: 1, kind: "refresh", identity },
  { v: 1, kind: "probe", identity, epoch: 12, probeId: "gw-2 1", askerNodeId: "gw-2", techInfo: "a fourth takeover" },
  { v: 1, kind: "probed", probeId: "gw-2 1", alive: true },
  { v: 1, kind: "close", identity, belowEpoch: 12, reason: "operator" },
  { v: 1, kind: "drain" },
];
const head = { v: 1, commandId: command.commandId, nodeId: "gw-1", epoch: command.epoch } as const;
const reports: CommandReport[] = [
  { ...head, kind: "received" },
  { ...head, kind: "notHere" },
  { ...head, kind: "sent", sentAtMs: 1_777_631_010_001 },
  {
    ...head,
    kind: "outcome",
    outcome: { state: "accepted", response: '{"status":"Accepted"}', sentAtMs: 1, answeredAtMs: 2 },
  },
  {
    ...head,
    kind: "outcome",
    outcome: { state: "error", error: { code: "NotSupported", description: "no", details: {} } },
  },
];

describe("command message", () => {
  test("messages of format 1 are read for ever (golden file)", () => {
    const lines = readFileSync(new URL("golden/command-messages-1.jsonl", import.meta.url), "utf8")
      .trim()
      .split("\n");
    expect(lines).toEqual([
      encodeNodeMessage(command),
      encodeNodeMessage(close),
      ...reports.map(encodeCommandReport),
      encodeNodeMessage(validFor),
      ...later.map(encodeNodeMessage),
    ]);
    expect(lines.slice(0, 2).map((line) => decodeNodeMessage(line))).toEqual([
      { ok: true, value: command },
      { ok: true, value: close },
    ]);
    expect(lines.slice(-6).map((line) => decodeNodeMessage(line))).toEqual(
      [validFor, ...later].map((value) => ({ ok: true, value })),
    );
    expect(lines.slice(2, -6).map((line) => decodeCommandReport(line))).toEqual(
      reports.map((value) => ({ ok: true, value })),
    );
  });

  test.each([
    ["nonsense", "not JSON"],
    ["null", "not an object"],
    ['{"v":2,"kind":"command"}', "format 2: this build reads format 1"],
    ['{"v":1,"kind":"toString"}', "kind toString"],
  ])("%s is refused with the reason", (text, reason) => {
    expect(decodeNodeMessage(text)).toEqual({ ok: false, error: reason });
  });
});
