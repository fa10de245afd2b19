import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startPostgres, type PostgresSettings } from "../../postgres-server.ts";
import type { Breakable } from "../contract.ts";
import { breakable } from "./breakable.ts";
import { watchDisk, type WatchedDisk } from "./watched-disk.ts";

/** One Postgres server on a port of its own, with a disk that can be filled. */
export interface PostgresInstance extends Breakable {
  readonly port: number;
  readonly url: string;
  readonly disk: WatchedDisk;
}

/** What the servers of a run have in common. */
export type CommonSettings = Pick<
  PostgresSettings,
  "binaries" | "runAs" | "systemLocale" | "programEnv" | "parameters"
> & {
  /** Open to the user who runs them. */
  folder: string;
  /** From `watchedDiskLibrary`. */
  library: string;
};

export const PASSWORD = "test";

/** Where the data of the server of this name is. */
export function dataDirectoryOf({ folder }: CommonSettings, name: string): string {
  return join(folder, name, "data");
}

/** Starts a server on a free port, with new data unless there is some. It ends with this process. */
export async function startInstance(
  name: string,
  common: CommonSettings,
  parameters: Record<string, string> = {},
): Promise<PostgresInstance> {
  const own = join(common.folder, name);
  const diskFolder = join(own, "disk");
  mkdirSync(diskFolder, { recursive: true, mode: 0o755 });
  const disk = watchDisk(common.library, diskFolder);
  const start = (port?: number) =>
    startPostgres({
      ...common,
      dataDirectory: dataDirectoryOf(common, name),
      logFile: join(own, "log"),
      password: PASSWORD,
      diesWithUs: true,
      env: disk.environment,
      parameters: { max_connections: "300", ...common.parameters, ...parameters },
      ...(port !== undefined && { port }),
    });
  const first = await start();
  const { port, url } = first;
  return { ...breakable(name, first, () => start(port), "SIGINT"), port, url, disk };
}
