import { expect, test } from "vitest";
import { messagesPerSecond, paceFor, readingsOf } from "./load-profile.ts";
import { isRequest } from "./schemas.ts";
import { boot16, story16 } from "./story-1.6.ts";
import { boot2x, story2x } from "./story-2.x.ts";
import type { Call, Story } from "./story.ts";

const PROFILE = { heartbeatSeconds: 300, meterSeconds: 60, chargingSeconds: 1_800, idleSeconds: 7_200 };
const teller = { identity: "cp_1", idTag: "LOADTEST", random: () => 0.5, phase: 0.5 };
const ANSWERS: Record<string, Record<string, unknown>> = {
  Authorize: { idTagInfo: { status: "Accepted" }, idTokenInfo: { status: "Accepted" } },
  StartTransaction: { transactionId: 7, idTagInfo: { status: "Accepted" } },
};

/** What a station says and how long that takes, in its own time. */
function live(story: Story, calls: number): { said: Call[]; seconds: number } {
  const said: Call[] = [];
  let seconds = 0;
  let answer: Record<string, unknown> | undefined;
  while (said.length < calls) {
    const { value: step } = story.next(answer);
    answer = undefined;
    if (step === undefined) break;
    if ("waitSeconds" in step) seconds += step.waitSeconds;
    else {
      said.push(step);
      answer = ANSWERS[step.action] ?? {};
    }
  }
  return { said, seconds };
}

test.each(["1.6", "2.0.1", "2.1"] as const)(
  "everything that a %s station says is what the schemas ask for",
  (version) => {
    const { said } = live((version === "1.6" ? story16 : story2x)(teller, PROFILE), 100);
    const calls = [(version === "1.6" ? boot16 : boot2x)("cp_1"), ...said];
    expect(calls.filter(({ action, payload }) => !isRequest(version, action, payload))).toEqual([]);
    expect(new Set(calls.map(({ action }) => action)).size).toBe(version === "1.6" ? 6 : 4);
  },
);

test.each(["1.6", "2.0.1", "2.1"] as const)(
  "a %s station sends as many messages as the profile reckons with",
  (version) => {
    // Whole days, in which a station is as often charging as the profile says.
    const { said, seconds } = live((version === "1.6" ? story16 : story2x)(teller, PROFILE), 10_000);
    const heartbeats = seconds / PROFILE.heartbeatSeconds;
    expect((said.length + heartbeats) / seconds).toBeCloseTo(messagesPerSecond(PROFILE, version), 4);
  },
);

test("a transaction has as many meter values as fit into it", () => {
  expect(readingsOf(PROFILE)).toBe(30);
  expect(readingsOf({ ...PROFILE, chargingSeconds: 10 })).toBe(1);
});

test("a fleet is hurried by as much as its natural rate is too low", () => {
  const natural = 1_000 * messagesPerSecond(PROFILE, "1.6");
  expect(natural).toBeCloseTo(7.44, 1);
  expect(paceFor(natural * 20, PROFILE, { "1.6": 1_000 })).toBeCloseTo(20, 6);
  expect(paceFor(100, PROFILE, {})).toBe(1);
});
