import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";

function scene() {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLogger("info", "test", { facts: { node: "n-1" }, destination });
  return { log, text: () => lines.join(""), line: () => JSON.parse(lines.at(-1) as string) as Record<string, unknown> };
}

test("every line says which process it is of, and when", () => {
  const { log, line } = scene();
  log.info({ port: 1 }, "ready");
  expect(line()).toMatchObject({ process: "test", node: "n-1", msg: "ready", port: 1 });
  expect(Date.parse(line()["time"] as string)).not.toBeNaN();
});

// Broken once on purpose: without `redact` (logger.ts) it fails: the password is in the line.
test("[I12] a secret that was logged by mistake does not reach the output", () => {
  const { log, line, text } = scene();
  log.info(
    { password: "canary", body: { provisioning_password: "canary", accessToken: "canary" }, authorization: "canary" },
    "request",
  );
  log.child({ token: "canary" }).info({ payload: { idTag: "canary" } }, "child");
  expect(line()).toMatchObject({ msg: "child", token: "[redacted]", payload: { idTag: "[redacted]" } });
  expect(text()).not.toContain("canary");
});

// Broken once on purpose: with all that hangs on an error told (logger.ts, errorFacts) it fails: the canary is in the
// line.
test("[I12] an error shows what it is and where it was thrown, not what a client library hung on it", () => {
  const { log, line, text } = scene();
  const cause = Object.assign(new Error("away"), { code: "ECONNREFUSED" });
  const error = Object.assign(new TypeError("NOAUTH", { cause }), {
    command: { name: "set", args: ["canary"] },
    detail: "canary",
  });
  log.error({ error }, "failed");
  expect(line()["error"]).toMatchObject({
    type: "TypeError",
    message: "NOAUTH",
    stack: expect.stringContaining("logger.test.ts") as string,
    cause: { type: "Error", message: "away", code: "ECONNREFUSED" },
  });
  log.error(error);
  expect(line()["error"]).toMatchObject({ message: "NOAUTH" });
  log.error({ error: "a message alone" }, "failed");
  expect(line()["error"]).toBe("a message alone");
  expect(text()).not.toContain("canary");
});
