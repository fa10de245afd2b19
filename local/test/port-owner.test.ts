import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { isFree } from "../ports.ts";
import { portOwner } from "../port-owner.ts";

test("a port in use is told with the process that has it", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  expect(await isFree(port)).toBe(false);
  expect(portOwner(port)).toContain(`(process ${process.pid}`);
  await new Promise((resolve) => server.close(resolve));
  expect(await isFree(port)).toBe(true);
  expect(portOwner(port)).toBeUndefined();
});
