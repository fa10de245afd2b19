import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../ports.ts";
import { type Balancer, startBalancer } from "../upgrade/start-balancer.ts";

const ADDRESS = "127.0.0.1";
let balancer: Balancer;
const closers: (() => void)[] = [];
beforeAll(async () => {
  balancer = await startBalancer();
});
afterAll(async () => {
  for (const close of closers) close();
  await balancer.close();
});

/** A pod that says its name to whoever connects, and whatever it is told. */
async function pod(name: string): Promise<{ address: string; port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(name);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve));
  closers.push(() => server.close());
  return { address: ADDRESS, port: (server.address() as AddressInfo).port };
}

async function connected(port: number): Promise<{ socket: Socket; name: string }> {
  const socket = connect(port, ADDRESS);
  closers.push(() => socket.destroy());
  const [name] = (await once(socket, "data")) as [Buffer];
  return { socket, name: name.toString() };
}

test("new connections go where it is said now, open ones stay where they are", async () => {
  const [port, former, next] = [await freePort(), await pod("former"), await pod("next")];
  await balancer.follow([{ address: ADDRESS, port, targets: [former] }]);
  const first = await connected(port);
  expect(first.name).toBe("former");
  await balancer.follow([{ address: ADDRESS, port, targets: [next] }]);
  expect((await connected(port)).name).toBe("next");
  first.socket.write("still here");
  expect(String(((await once(first.socket, "data")) as [Buffer])[0])).toBe("still here");
  first.socket.destroy();
});

test("where nobody is, connections are reset", async () => {
  const port = await freePort();
  await balancer.follow([{ address: ADDRESS, port, targets: [] }]);
  const socket = connect(port, ADDRESS);
  const [fault] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  expect(fault.code).toBe("ECONNRESET");
});

test("an address that cannot be listened on is told", async () => {
  const { port } = await pod("first");
  await expect(balancer.follow([{ address: ADDRESS, port, targets: [] }])).rejects.toThrow("EADDRINUSE");
});
