import { expect, test } from "vitest";
import { RequestDeadline } from "./request-deadline.ts";

function scene(maxWaiting = 90) {
  const clock = { nowMs: 0 };
  let tick = () => {};
  const deadline = new RequestDeadline({
    deadlineMs: 10_000,
    maxWaiting,
    nowMs: () => clock.nowMs,
    every: (_ms, run) => {
      tick = run;
      return { cancel: () => undefined };
    },
  });
  const connect = (source: string) => {
    let aborted = () => {};
    let data = (_chunk: ArrayBuffer, _isLast: boolean) => {};
    const connection = {
      state: "open" as "open" | "closed" | "unused" | "served",
      onAborted: (run: () => void) => (aborted = run),
      onData: (run: typeof data) => (data = run),
      close() {
        this.state = "closed";
        aborted();
      },
      bringRequest() {
        this.state = "served";
        data(new ArrayBuffer(0), true);
      },
      hangUp: () => aborted(),
    };
    deadline.accepted(connection, source, () => (connection.state = "unused"));
    return connection;
  };
  const pass = (ms: number) => {
    clock.nowMs += ms;
    tick();
  };
  return { deadline, connect, pass };
}

test("[D6] whoever brings no request in time is closed, and nobody else", () => {
  const { connect, pass } = scene();
  const silent = connect("a");
  pass(5_000);
  const [later, served] = [connect("a"), connect("b")];
  served.bringRequest();
  pass(5_000);
  expect([silent.state, later.state, served.state]).toEqual(["unused", "open", "served"]);
});

test("[D6] one source that opens all the silent connections it can leaves room for the others", () => {
  const { connect } = scene(90);
  const flood = Array.from({ length: 1_000 }, () => connect("flood"));
  expect(flood.filter(({ state }) => state === "open").length).toBe(80);
  const others = Array.from({ length: 8 }, (_, n) => connect(`station ${n}`));
  expect(others.map(({ state }) => state)).toEqual(Array(8).fill("open"));
});

test("[D6] what ended or brought its request gives its place back", () => {
  const { deadline, connect } = scene(9);
  for (let n = 0; n < 100; n++) {
    const connection = connect("a");
    expect(connection.state).toBe("open");
    if (n % 2 === 0) connection.bringRequest();
    else connection.hangUp();
  }
  expect(deadline.waiting).toBe(0);
});
