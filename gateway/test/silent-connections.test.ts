import { expect, test } from "vitest";
import { connectRaw } from "./raw-socket.ts";
import { startSocketServerScene } from "./socket-server-scene.ts";
import { until } from "./world.ts";

test("[D6] an address that opens all the connections it can, and says nothing, keeps no other address out", async () => {
  const { server, port, connect } = await startSocketServerScene({
    maxWithoutRequest: 90,
    receiveFrame: (session) => session.send("answer"),
  });
  const silent = await Promise.all(Array.from({ length: 150 }, () => connectRaw(port, "127.0.0.2")));
  let closed = 0;
  for (const raw of silent) void raw.closed.then(() => (closed += 1));
  await until("what is too much is closed", () => closed === 70);

  // Another silent one would find no room; from elsewhere there is some.
  const late = await connectRaw(port, "127.0.0.2");
  await late.closed;
  const others = Array.from({ length: 5 }, (_, n) => connect(`127.0.0.${n + 3}`));
  expect(await Promise.all(others.map(({ answered }) => answered))).toEqual(Array(5).fill("answer"));
  expect(closed).toBe(70);
  for (const { ws } of others) ws.terminate();
  for (const { socket } of silent) socket.destroy();
  server.close();
});
