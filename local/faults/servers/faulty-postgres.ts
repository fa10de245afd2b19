import { rmSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "../../folders.ts";
import { postgresBinaries } from "../../postgres-binaries.ts";
import { temporaryFolder } from "../../test-servers.ts";
import { unprivilegedUser } from "../../unprivileged-user.ts";
import type { FaultyPostgres, Ways } from "../contract.ts";
import { startInstance } from "./postgres-instance.ts";
import { watchedDiskLibrary } from "./watched-disk.ts";

/**
 * Starts a Postgres on a free port of 127.0.0.1 with nothing in it, which ends with this process, and a way to it. It waits
 * for the disk as in production: what it has committed is there after a crash.
 *
 * Its disk can be filled: tables then refuse to grow (53100), and once no segment is left to write the log to it stops, as
 * Postgres does; it is started again when there is room.
 *
 * @param options.parameters name → value, as in postgresql.conf
 */
export async function startFaultyPostgres(options: {
  ways: Ways;
  parameters?: Record<string, string>;
}): Promise<FaultyPostgres> {
  const runAs = unprivilegedUser();
  const library = await watchedDiskLibrary(FOLDERS.tools);
  const folder = temporaryFolder("faulty-postgres");
  const atExit = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", atExit);
  const server = await startInstance("postgres", {
    folder,
    library,
    runAs,
    binaries: postgresBinaries(runAs, join(folder, "binaries")),
    parameters: options.parameters ?? {},
  });
  const way = await options.ways.open(`postgres:${server.port}`, [server.port]);
  return {
    ...server,
    proxiedUrl: withPort(server.url, way.port),
    way,
    fillDisk: async () => server.disk.fill(),
    freeDisk: async () => server.disk.free(),
    async close() {
      await server.kill();
      process.removeListener("exit", atExit);
      atExit();
    },
  };
}

/** The same URL at another port of this machine. */
export function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}
