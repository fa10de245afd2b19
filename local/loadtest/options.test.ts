import { expect, test } from "vitest";
import { readOptions } from "./options.ts";

const read = (line: string) => readOptions(line.split(" "), "/checkout");

test("a scenario alone has everything that it needs", () => {
  expect(read("smoke")).toMatchObject({
    scenario: "smoke",
    stations: 200,
    mix: { "1.6": 60, "2.0.1": 30, "2.1": 10 },
    rate: { perSecond: 150 },
    gateways: undefined,
    out: "/checkout/.local/loadtest/smoke",
    publish: false,
  });
  expect(read("soak").rate).toEqual({ percent: 80 });
  expect(read("rolling-upgrade --gateways 2 --set a.b=1 --set c=2")).toMatchObject({
    gateways: 2,
    values: ["a.b=1", "c=2"],
  });
});

test("durations, rates and mixes are read in the words of people", () => {
  expect(read("steady --duration 1.5h --connect 90 --rate 80% --mix 2.0.1=75,2.1=25")).toMatchObject({
    durationSeconds: 5_400,
    connectSeconds: 90,
    rate: { percent: 80 },
    mix: { "2.0.1": 75, "2.1": 25 },
  });
  expect(read("steady --rate natural").rate).toBeUndefined();
  expect(read("ramp --steps 100,250 --step 2m")).toMatchObject({ steps: [100, 250], stepSeconds: 120 });
});

test.each([
  ["", /want one scenario/],
  ["smoke steady", /want one scenario/],
  ["steady --stations 1.5", /--stations 1.5: want a whole number/],
  ["steady --duration soon", /--duration soon: want/],
  ["steady --rate fast", /--rate fast: want/],
  ["steady --mix 1.6=60,2.1=30", /make 90 per cent/],
  ["steady --mix 1.5=100", /--mix 1.5=100: want version/],
  ["ramp --rate 80%", /a ramp has --steps/],
  ["steady --set a=1", /only an upgrade/],
  ["rolling-upgrade --set a", /--set a: want NAME=VALUE/],
  ["steady --wrong", /--wrong/],
])("%s is refused with what is wrong", (line, message) => {
  expect(() => read(line)).toThrow(message);
});
