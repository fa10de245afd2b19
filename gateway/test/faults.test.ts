import { expect, test } from "vitest";
import { startSocketServerScene as scene } from "./socket-server-scene.ts";

const thrown = () => {
  throw new Error("thrown on purpose");
};

test("a fault while a frame is handled ends that connection alone", async () => {
  let frames = 0;
  const { server, connect, faults } = await scene({
    receiveFrame: (session) => (++frames === 1 ? thrown() : session.send("answer")),
  });
  expect(await connect().closed).toBe(1011);
  const other = connect();
  expect(await other.answered).toBe("answer");
  expect(await faults()).toEqual(["message 1"]);
  other.ws.terminate();
  server.close();
});

test("a fault while a connection is opened ends it", async () => {
  const { server, connect, faults } = await scene({ open: thrown });
  expect(await connect().closed).toBe(1011);
  expect(await faults()).toEqual(["open 1"]);
  server.close();
});

test("a fault while a connection ends does not end the process", async () => {
  const { server, connect, faults } = await scene({
    end: thrown,
    receiveFrame: (session) => session.close(1013, "enough"),
  });
  expect(await connect().closed).toBe(1013);
  expect(await connect().closed).toBe(1013);
  expect((await faults())[0]).toMatch(/^(message|close) /);
  server.close();
});
