import { pino } from "pino";
import { expect, test } from "vitest";
import { toProblemReply } from "./problem-document.ts";

function scene() {
  const written: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void written.push(line) });
  const context = { requestId: "req_1", publicApiUrl: "https://api.example", log: log.child({ request_id: "req_1" }) };
  return { context, written };
}

test("a fault of ours is logged with its request named once, and nothing of it is told", () => {
  const { context, written } = scene();
  const reply = toProblemReply(new Error("the table is called secrets"), context);
  expect(reply).toMatchObject({ status: 500, body: { code: "internal", request_id: "req_1" } });
  expect(JSON.stringify(reply)).not.toContain("secrets");
  expect(written).toHaveLength(1);
  expect(written[0]?.match(/"request_id"/g)).toHaveLength(1);
});

test("an absent server is an outage with a wait", () => {
  const { context, written } = scene();
  const away = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  expect(toProblemReply(away, context)).toMatchObject({
    status: 503,
    headers: { "retry-after": "5" },
    body: { code: "unavailable" },
  });
  expect(written[0]?.match(/"request_id"/g)).toHaveLength(1);
});
