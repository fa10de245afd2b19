import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Way } from "../faults/contract.ts";
import { identifyProcess, isAlive, type ProcessIdentity } from "../process-identity.ts";
import { groupWays, startWays } from "../faults/servers/ways.ts";

let ways: Awaited<ReturnType<typeof startWays>>;
let count = 0;
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeAll(async () => void (ways = await startWays()));
afterAll(() => ways.close());
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

test("passes bytes on in both directions, in order and whole, and both ends", async () => {
  const way = await wayTo(await echo());
  const sent = Buffer.alloc(20_000_000, "abcdefghijklmnopqrstuvwxyz0123456789-");
  const socket = open(way.port);
  const received = everything(socket);
  socket.end(sent);
  expect((await received).equals(sent)).toBe(true);
});

test("a receiver that does not read holds its sender back", async () => {
  const way = await wayTo(await server(() => {})); // never reads
  const socket = open(way.port);
  let taken = 0;
  const chunk = Buffer.alloc(1 << 20);
  // Kernels and the proxy take some megabytes, not all of it.
  while (taken < 200 && (await written(socket, chunk, 1_000))) taken += 1;
  expect(taken).toBeLessThan(100);
});

test("cut: open connections are reset on both sides, new ones are taken", async () => {
  const gone = events();
  const way = await wayTo(
    await server((socket) => {
      socket.on("error", (error) => gone.tell(error));
      socket.pipe(socket);
    }),
  );
  const socket = open(way.port);
  expect(await ask(socket, "before")).toBe("before");
  const failed = failure(socket);
  await way.cut();
  expect((await failed)?.code).toBe("ECONNRESET");
  expect(((await gone.first) as NodeJS.ErrnoException).code).toBe("ECONNRESET");
  expect(await ask(open(way.port), "after")).toBe("after");
});

test("blackhole: open and new connections stay and hear nothing, and go on when it is healed", async () => {
  const way = await wayTo(await echo());
  const old = open(way.port);
  expect(await ask(old, "1")).toBe("1");
  await way.blackhole();
  const fresh = open(way.port);
  const answers = [ask(old, "2"), ask(fresh, "3")];
  expect(await Promise.race([...answers, sleep(700)])).toBe("slept");
  expect([old.destroyed, fresh.destroyed]).toEqual([false, false]);
  await way.heal();
  expect(await Promise.all(answers)).toEqual(["2", "3"]);
});

test("blackhole: a client that went away meanwhile is missed by the server only afterwards", async () => {
  const gone = events();
  const way = await wayTo(
    await server((socket) => {
      socket.on("error", () => {}).on("close", () => gone.tell("closed"));
      socket.pipe(socket);
    }),
  );
  const socket = open(way.port);
  await ask(socket, "1");
  await way.blackhole();
  socket.destroy();
  expect(await Promise.race([gone.first, sleep(500)])).toBe("slept");
  await way.heal();
  expect(await gone.first).toBe("closed");
});

test("refuse: open connections are reset, new ones refused, until it is healed", async () => {
  const way = await wayTo(await echo());
  const socket = open(way.port);
  await ask(socket, "1");
  const failed = failure(socket);
  await way.refuse();
  expect((await failed)?.code).toBe("ECONNRESET");
  expect((await failure(open(way.port)))?.code).toBe("ECONNREFUSED");
  await way.heal();
  expect(await ask(open(way.port), "2")).toBe("2");
});

test("slow: each direction takes its latency, order is kept, and a limited rate is a limit", async () => {
  const way = await wayTo(await echo());
  const socket = open(way.port);
  await ask(socket, "1");
  await way.slow({ latencyMs: 150 });
  const begun = performance.now();
  expect(await ask(socket, "2")).toBe("2");
  expect(performance.now() - begun).toBeGreaterThanOrEqual(295);
  await way.slow({ latencyMs: 10, bytesPerSecond: 10_000 });
  const limited = performance.now();
  const text = Array.from({ length: 2_000 }, (_, index) => String(index).padStart(5)).join("");
  expect(await ask(socket, text)).toBe(text); // 10,000 bytes
  expect(performance.now() - limited).toBeGreaterThanOrEqual(800);
  await way.heal();
  expect(await ask(socket, text)).toBe(text);
});

test("cutAfterRequest: the server gets the request, the client no answer; as often as ordered", async () => {
  const got: string[] = [];
  const target = await server((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      got.push(String(chunk));
      socket.write(chunk);
    });
  });
  const way = groupWays([await wayTo(target), await wayTo(target)]);
  await way.cutAfterRequest("xadd", 2); // in either case
  expect(await ask(open(way.port), "other")).toBe("other");
  const split = open(way.port);
  split.on("error", () => {});
  expect(await ask(split, "one XA")).toBe("one XA");
  const failed = failure(split);
  split.write("DD two");
  expect((await failed)?.code).toBe("ECONNRESET");
  const second = open(way.port);
  second.write("three XADD");
  expect((await failure(second))?.code).toBe("ECONNRESET");
  expect(await ask(open(way.port), "four XADD")).toBe("four XADD");
  expect(got).toEqual(["other", "one XA", "DD two", "three XADD", "four XADD"]);
  expect(await way.strikes()).toBe(2);
});

test("several targets take turns; one that refuses is passed over, and other targets can be given", async () => {
  const named = (name: string) =>
    server(
      (socket) =>
        void socket
          .on("error", () => {})
          .resume()
          .end(name),
    );
  const [one, two, three] = await Promise.all(["1", "2", "3"].map(named));
  const way = await wayTo(one as Server, two as Server);
  const nobodys = portOf(one as Server); // once it is closed
  const answers = async (times: number) => {
    const all: string[] = [];
    for (let index = 0; index < times; index += 1) all.push(String(await everything(open(way.port))));
    return all.toSorted().join("");
  };
  expect(await answers(4)).toBe("1122");
  await new Promise((resolve) => one?.close(resolve));
  expect(await answers(4)).toBe("2222");
  await way.retarget([portOf(three as Server)]);
  expect(await answers(2)).toBe("33");
  await way.retarget([nobodys]);
  expect((await failure(open(way.port)))?.code).toBe("ECONNRESET");
});

test("the proxy ends with the process that started it", async () => {
  const script = `
    import { startWays } from ${JSON.stringify(new URL("../faults/servers/ways.ts", import.meta.url).href)};
    console.log((await startWays()).pid);`;
  const args = ["--conditions=source", "--input-type=module", "--eval", script];
  const run = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [printed] = (await once(run.stdout, "data")) as [Buffer];
  const proxy = identifyProcess(Number(String(printed))) as ProcessIdentity;
  expect(isAlive(proxy)).toBe(true);
  run.kill("SIGKILL");
  await expect.poll(() => isAlive(proxy), { timeout: 20_000 }).toBe(false);
});

test("10,000 short connections leave nothing behind", async () => {
  const way = await wayTo(await echo());
  const handles = () => readdirSync(`/proc/${ways.pid}/fd`).length;
  const before = handles();
  const some = async () => {
    for (let index = 0; index < 100; index += 1) {
      const socket = open(way.port);
      if ((await ask(socket, "x")) !== "x") throw new Error("no answer");
      if (index % 2) socket.resetAndDestroy();
      else socket.destroy();
      sockets.length = 0;
    }
  };
  for (let round = 0; round < 5; round += 1) await Promise.all(Array.from({ length: 20 }, some));
  await expect.poll(handles, { timeout: 20_000 }).toBeLessThanOrEqual(before + 1);
});

async function server(taken: (socket: Socket) => void): Promise<Server> {
  const made = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    taken(socket);
  });
  servers.push(made);
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  return made;
}
const echo = () => server((socket) => void socket.on("error", () => {}).pipe(socket));
const portOf = (made: Server) => (made.address() as AddressInfo).port;
const wayTo = (...targets: Server[]): Promise<Way> => ways.open(`way-${++count}`, targets.map(portOf));
const sleep = (ms: number) => new Promise<string>((resolve) => setTimeout(() => resolve("slept"), ms));

function open(port: number): Socket {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  sockets.push(socket);
  return socket;
}

/** Sends a text and resolves to as many bytes of what comes back. */
async function ask(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const more = (chunk: Buffer) => {
      answer += String(chunk);
      if (answer.length < text.length) return;
      socket.off("data", more);
      resolve(answer);
    };
    socket.on("data", more);
    socket.write(text);
  });
}

async function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  socket.end();
  return Buffer.concat(chunks);
}

/** What a connection broke with; undefined when it ended in order. */
async function failure(socket: Socket): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    socket.once("error", resolve);
    socket.once("close", () => resolve(undefined));
    socket.resume();
  });
}

async function written(socket: Socket, chunk: Buffer, withinMs: number): Promise<boolean> {
  return Promise.race([
    new Promise<boolean>((resolve) => socket.write(chunk, () => resolve(true))),
    sleep(withinMs).then(() => false),
  ]);
}

function events(): { tell(event: unknown): void; first: Promise<unknown> } {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  return { tell: resolve, first: promise };
}
