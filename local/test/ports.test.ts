import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { freePort } from "../ports.ts";

/** So many that two processes choosing at random would meet some twenty times. */
const MANY = 600;

it("gives no port to two processes of the machine, though none listens on its own yet", async () => {
  const ours = new Set<number>();
  for (let index = 0; index < MANY; index += 1) ours.add(await freePort());
  const script = `
    import { freePort } from "./local/ports.ts";
    const ports = [];
    for (let index = 0; index < ${MANY}; index += 1) ports.push(await freePort());
    process.stdout.write(JSON.stringify(ports));`;
  const other = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  const theirs: number[] = JSON.parse(other.stdout);

  expect(ours.size).toBe(MANY);
  expect(theirs).toHaveLength(MANY);
  expect(theirs.filter((port) => ours.has(port))).toEqual([]);
});
