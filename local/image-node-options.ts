import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "./folders.ts";

/** What Node is told in the gateway's image (NODE_OPTIONS), for whoever measures a gateway that was started from its sources. */
export function gatewayNodeOptions(): { NODE_OPTIONS: string } {
  const [, options] =
    /^ENV NODE_OPTIONS=(\S+)$/m.exec(readFileSync(join(FOLDERS.root, "gateway/Dockerfile"), "utf8")) ?? [];
  if (options === undefined) throw new Error("gateway/Dockerfile: want a line ENV NODE_OPTIONS=…");
  return { NODE_OPTIONS: options };
}
