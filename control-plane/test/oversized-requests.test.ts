import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
let key: string;
beforeAll(async () => {
  world = await startApiWorld();
  ({ key } = await world.organization());
});
afterAll(() => world.close());

/** A connection that sends what it is told to, as it is. */
async function openSocket(): Promise<{ socket: Socket; answered: Promise<string>; closed: Promise<unknown> }> {
  const socket = connect(Number(new URL(world.url).port), "127.0.0.1");
  await once(socket, "connect");
  let text = "";
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const answered = new Promise<string>((resolve) => {
    socket.on("data", (chunk) => {
      text += String(chunk);
      if (text.includes("\r\n\r\n")) resolve(text);
    });
    void closed.then(() => resolve(text));
  });
  socket.on("error", () => {});
  return { socket, answered, closed };
}

const head = (more: string) =>
  `POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n${more}\r\n\r\n`;

test("[E9] a body that is announced with a hundred megabytes is refused unread", async () => {
  const { socket, answered } = await openSocket();
  socket.write(head("Content-Length: 104857600"));
  expect(await answered).toMatch(/^HTTP\/1\.1 413 /);
  socket.destroy();
});

test("[E9] a body that just goes on is refused past a megabyte, and its sender cut off soon after", async () => {
  const { socket, answered, closed } = await openSocket();
  socket.write(head("Transfer-Encoding: chunked"));
  const piece = Buffer.alloc(65_536, "x");
  let sent = 0;
  const pour = () => {
    while (!socket.destroyed && sent < 100 * 1_048_576) {
      sent += piece.length;
      if (!socket.write(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]))) {
        socket.once("drain", pour);
        return;
      }
    }
  };
  pour();
  expect(await answered).toMatch(/^HTTP\/1\.1 413 /);
  await closed;
  expect(sent).toBeLessThan(50 * 1_048_576);
});

test("[E9] a body that unfolds to a gigabyte is not unfolded", async () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1_048_576));
  for (const encoding of ["gzip", "deflate", "br", "gzip, gzip", "identity, gzip"]) {
    const { socket, answered } = await openSocket();
    socket.write(head(`Content-Encoding: ${encoding}\r\nContent-Length: ${bomb.length}`));
    socket.write(bomb);
    expect(await answered).toMatch(/^HTTP\/1\.1 415 /);
    socket.destroy();
  }
});

test("[E9] a body that comes byte by byte is given up at its deadline, however alive it looks", async () => {
  const { socket, answered, closed } = await openSocket();
  socket.write(head("Content-Length: 100000"));
  const drip = setInterval(() => socket.write(" "), 50);
  expect(await answered).toMatch(/^HTTP\/1\.1 408 /);
  await closed;
  clearInterval(drip);
});

test("[E8] a query of a megabyte is refused before it is read, and one of an enormous page by its name", async () => {
  const { socket, answered } = await openSocket();
  socket.write(`GET /api/v1/projects?cursor=${"x".repeat(1_048_576)} HTTP/1.1\r\nHost: x\r\n\r\n`);
  expect(await answered).toMatch(/^HTTP\/1\.1 431 /);
  socket.destroy();
  const paged = world.api.routes.filter(({ query }) =>
    Object.keys((query as { shape?: object })?.shape ?? {}).includes("limit"),
  );
  expect(paged.length).toBeGreaterThan(20);
  for (const route of paged.filter(({ access }) => access.kind === "organization"))
    for (const limit of ["1000000000", "201", "0", "-1", "1e9", "NaN", "1.5"]) {
      const { status } = await world.ask("GET", `${route.path.replaceAll(/\{\w+\}/g, "x")}?limit=${limit}`, {
        as: key,
      });
      expect({ route: route.operationId, limit, status }).toEqual({ route: route.operationId, limit, status: 422 });
    }
});

test("[E8] no filter, sort or include nests: a query parameter is a plain value", () => {
  const paths = world.api.openApi["paths"] as Record<
    string,
    Record<string, { parameters: { in: string; schema: object }[] }>
  >;
  const nested = Object.values(paths).flatMap((methods) =>
    Object.values(methods).flatMap(({ parameters }) =>
      parameters.filter(({ in: where, schema }) => where === "query" && JSON.stringify(schema).includes('"object"')),
    ),
  );
  expect(nested).toEqual([]);
});

/** Every pattern of the document, with the length that its text may have. */
function patternsIn(value: unknown): { pattern: string; maxLength: number }[] {
  if (typeof value !== "object" || value === null) return [];
  const { pattern, maxLength } = value as { pattern?: unknown; maxLength?: unknown };
  const own =
    typeof pattern === "string" ? [{ pattern, maxLength: typeof maxLength === "number" ? maxLength : 1_048_576 }] : [];
  return [...own, ...Object.values(value).flatMap(patternsIn)];
}

test("[E8] no pattern of the API runs away with a hostile text, however long the field may be", () => {
  const patterns = [...new Map(patternsIn(world.api.openApi).map((one) => [JSON.stringify(one), one])).values()];
  expect(patterns.length).toBeGreaterThan(5);
  const pieces = ["a", " ", "-", "a.", "a@", "1", "0:", "https://", "\u200b", "あ", "a a", "=", "a-"];
  for (const { pattern, maxLength } of patterns)
    for (const piece of pieces)
      for (const end of ["", "!", "\u0000", "\n"]) {
        const text = piece.repeat(Math.ceil(maxLength / piece.length)).slice(0, maxLength) + end;
        // Linear work on a megabyte is done long before; what backtracks over it would not be within our lives. The run is
        // ended by V8 itself, which then throws.
        runInNewContext("new RegExp(pattern, 'u').test(text)", { pattern, text }, { timeout: 20_000 });
      }
  expect(() => runInNewContext("/^(a+)+$/.test(text)", { text: `${"a".repeat(60)}!` }, { timeout: 500 })).toThrow(
    "timed out",
  );
});
