import { expect, test } from "vitest";
import { createMetrics } from "../metrics.ts";
import { HandshakeGate, type Turn } from "./handshake-gate.ts";

/** A gate whose time the test moves, and a record of what became of each handshake, in the order in which it did. */
function scene(perSecond = 100) {
  const clock = { nowMs: 0 };
  let tick: (() => void) | undefined;
  const metrics = createMetrics({ version: "test", nodeId: "node-1" });
  const gate = new HandshakeGate({
    perSecond,
    nowMs: () => clock.nowMs,
    every: (_ms, run) => {
      tick = run;
      return { cancel: () => (tick = undefined) };
    },
    metrics,
  });
  const told: { name: string; source: string; turn: Turn; atMs: number }[] = [];
  const ask = (source: string, name = source) => {
    const { turn, leave } = gate.enter(source);
    void turn.then((outcome) => told.push({ name, source, turn: outcome, atMs: clock.nowMs }));
    return leave;
  };
  const askOften = (source: string, count: number) =>
    Array.from({ length: count }, (_, n) => ask(source, `${source}${n}`));
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 20) {
      clock.nowMs += 20;
      tick?.();
      await Promise.resolve();
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  const admitted = (source?: string) =>
    told.filter((each) => each.turn === "admitted" && (source === undefined || each.source === source)).length;
  const turnOf = (name: string) => told.find((each) => each.name === name);
  const isTicking = () => tick !== undefined;
  return { gate, ask, askOften, pass, told, admitted, turnOf, isTicking, metrics };
}

test("[B1] one address behind which a whole fleet stands gets the whole rate", async () => {
  const { askOften, pass, admitted } = scene(100);
  askOften("nat", 300);
  await pass(0);
  expect(admitted()).toBe(20);
  await pass(1_000);
  expect(admitted()).toBe(120);
  await pass(1_000);
  expect(admitted()).toBe(220);
});

test("[B1] of one address the first come are the first let in", async () => {
  const { askOften, pass, told } = scene(100);
  askOften("nat", 200);
  await pass(3_000);
  expect(told.map(({ name }) => name)).toEqual(Array.from({ length: 200 }, (_, n) => `nat${n}`));
});

test("[B1] behind an address that floods, another one has its turn with the next handshake but one", async () => {
  const { ask, askOften, pass, admitted, turnOf } = scene(100);
  askOften("flood", 10_000);
  await pass(500);
  const before = admitted("flood");
  ask("station");
  askOften("flood", 10_000);
  // At a hundred a second one turn of each is 20 ms.
  await pass(20);
  expect(turnOf("station")?.turn).toBe("admitted");
  expect(admitted("flood") - before).toBeLessThanOrEqual(2);
});

test("[B1] sources that all want more than there is get equal parts, however much each asks for", async () => {
  const { askOften, pass, admitted } = scene(100);
  askOften("a", 250);
  askOften("b", 40);
  askOften("c", 40);
  await pass(900);
  // What a was given before the others came, and then each the same.
  expect([admitted("a"), admitted("b"), admitted("c")]).toEqual([20 + 30, 30, 30]);
  // What the others do not want is the flood's again.
  await pass(2_300);
  expect([admitted("a"), admitted("b"), admitted("c")]).toEqual([250, 40, 40]);
});

test("[B1] room to wait is bounded, and no address can take it all", async () => {
  const { gate, ask, askOften, pass, told } = scene(100);
  askOften("flood", 10_000);
  await pass(0);
  expect(gate.waiting).toBeLessThan(400);
  expect(told.filter(({ turn }) => turn === "full").length).toBe(10_000 - 20 - gate.waiting);
  for (let n = 0; n < 30; n++) ask(`station ${n}`);
  await pass(0);
  expect(told.filter(({ source, turn }) => source !== "flood" && turn === "full")).toEqual([]);
});

test("[B1] nobody waits for longer than four seconds", async () => {
  const { askOften, ask, pass, told, gate, turnOf } = scene(1);
  ask("first");
  askOften("slow", 20);
  await pass(3_900);
  expect(told.filter(({ turn }) => turn === "overdue")).toEqual([]);
  await pass(200);
  expect(told.filter(({ turn }) => turn === "overdue").length).toBe(20 - 4);
  expect(turnOf("slow0")?.turn).toBe("admitted");
  expect(gate.waiting).toBe(0);
});

test("[B1] whoever hangs up leaves its place to those behind it, and takes nothing of the rate", async () => {
  const { ask, askOften, pass, turnOf, gate, admitted } = scene(100);
  askOften("early", 20);
  const leaving = askOften("nat", 200);
  ask("nat", "last");
  for (const leave of leaving) leave();
  expect(gate.waiting).toBe(1);
  await pass(20);
  expect(turnOf("last")).toMatchObject({ turn: "admitted", atMs: 20 });
  expect(turnOf("nat3")?.turn).toBe("hung-up");
  // Told once, whatever comes after it.
  for (const leave of leaving) leave();
  await pass(1_000);
  expect(admitted()).toBe(21);
});

test("a node that stops tells whoever waits at once, and lets nobody in any more", async () => {
  const { gate, ask, askOften, pass, told, turnOf, isTicking } = scene(100);
  askOften("nat", 50);
  gate.stop();
  ask("late");
  await pass(0);
  expect(told.filter(({ turn }) => turn === "stopping").length).toBe(31);
  expect(turnOf("late")?.turn).toBe("stopping");
  expect(isTicking()).toBe(false);
});

test("with a rate of 0 everybody is let in at once", async () => {
  const { askOften, pass, admitted } = scene(0);
  askOften("nat", 9_000);
  await pass(0);
  expect(admitted()).toBe(9_000);
});

test("handshakes that get no answer hold up those behind them, with or without a rate", async () => {
  const { gate, ask, askOften, pass, admitted, turnOf } = scene(0);
  askOften("nat", 10_000);
  ask("next");
  await pass(1_000);
  expect([admitted(), turnOf("next")]).toEqual([10_000, undefined]);
  gate.done();
  await pass(20);
  expect(turnOf("next")?.turn).toBe("admitted");
});

test("[B11] of handshakes that are over nothing is left: no place, no timer", async () => {
  const { gate, ask, pass, isTicking, metrics, admitted } = scene(500);
  for (let second = 0; second < 5; second++) {
    for (let n = 0; n < 500; n++) {
      const leave = ask(`source ${second} ${n % 50}`);
      if (n % 3 === 0) leave();
    }
    await pass(1_000);
    for (let n = admitted(); n > 0; n--) gate.done();
  }
  await pass(5_000);
  expect(gate.waiting).toBe(0);
  expect(isTicking()).toBe(false);
  expect((await metrics.handshakesWaiting.get()).values).toMatchObject([{ value: 0 }]);
});
