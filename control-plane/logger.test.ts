import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";

test("a secret that was logged by mistake does not reach the output", () => {
  const lines: string[] = [];
  const log = createLogger("info", "test", { write: (line) => void lines.push(line) });
  log.info(
    { password: "canary", body: { provisioning_password: "canary", token: "canary" }, authorization: "canary" },
    "request",
  );
  expect(JSON.parse(lines[0] as string)).toMatchObject({ process: "test", msg: "request", password: "[redacted]" });
  expect(lines.join("")).not.toContain("canary");
});
