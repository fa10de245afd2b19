import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { Command } from "ioredis";
import { expect, test } from "vitest";
import { AppendCommand } from "./append-command.ts";

const ignore = { replied: () => undefined, failed: () => undefined };

/** The bytes that reach Redis. */
async function written(command: Command): Promise<Buffer> {
  const stream = new PassThrough({ highWaterMark: 1024 * 1024 });
  stream.write(command.toWritable(stream));
  await turn();
  return stream.read() as Buffer;
}

test.each([0, 1, 4_095, 4_096, 300_000])(
  "an entry of %i bytes is written as the client would write it",
  async (size) => {
    const entry = Buffer.alloc(size, Buffer.from("\u0000\r\n$é"));
    for (const key of ["lane:{gw-1}", "lane:{gw-é}"]) {
      const usual = new Command("XADD", [key, "NOMKSTREAM", "17-0", "f", entry]);
      expect((await written(new AppendCommand(key, 17, entry, ignore))).equals(await written(usual))).toBe(true);
    }
  },
);

test("two in a row do not mix", async () => {
  const stream = new PassThrough({ highWaterMark: 1024 * 1024 });
  const entries = [Buffer.alloc(5_000, "a"), Buffer.alloc(10, "b"), Buffer.alloc(6_000, "c")];
  for (const [at, entry] of entries.entries())
    stream.write(new AppendCommand("k", at + 2, entry, ignore).toWritable(stream));
  await turn();
  const usual = entries.map((entry, at) => new Command("XADD", ["k", "NOMKSTREAM", `${at + 2}-0`, "f", entry]));
  expect(stream.read()).toEqual(Buffer.concat(usual.map((command) => Buffer.from(command.toWritable(stream)))));
});

test("a reply, nil and an error are told", () => {
  const told: unknown[] = [];
  const command = () =>
    new AppendCommand("k", 2, Buffer.alloc(0), {
      replied: (hasLane) => told.push(hasLane),
      failed: (error) => told.push(error.message),
    });
  command().resolve(Buffer.from("2-0"));
  command().resolve(null);
  command().reject(new Error("OOM command not allowed"));
  expect(told).toEqual([true, false, "OOM command not allowed"]);
});
