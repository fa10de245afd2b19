import { expect, test } from "vitest";
import { questionState } from "./questions.ts";

test.each([
  [{ state: "accepted", response: { status: "Accepted" }, error: null }, "accepted"],
  [{ state: "rejected", response: { status: "Rejected" }, error: null }, "rejected"],
  [{ state: "rejected", response: { status: "NotImplemented" }, error: null }, "unsupported"],
  [{ state: "error", response: null, error: { code: "NotSupported" } }, "unsupported"],
  [{ state: "error", response: null, error: { code: "InternalError" } }, "rejected"],
  [{ state: "timeout", response: null, error: null }, "lost"],
  [{ state: "unknown", response: null, error: null }, "lost"],
  [{ state: "not_connected", response: null, error: null }, "lost"],
  [{ state: "sent", response: null, error: null }, "open"],
])("a command that is %j answers the check with %s", (command, state) => {
  expect(questionState(command)).toBe(state);
});
