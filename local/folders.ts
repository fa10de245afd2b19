import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** LOCAL_FOLDER: for a second stack beside the first, on ports of its own. */
const LOCAL = resolve(process.env["LOCAL_FOLDER"] ?? join(ROOT, ".local"));

/** What the local stack keeps. All of it goes with `npm run reset`. */
export const FOLDERS = {
  root: ROOT,
  local: LOCAL,
  /** One per process. */
  logs: join(LOCAL, "logs"),
  secrets: join(LOCAL, "secrets"),
  /** Programs fetched for this machine: for every stack of this checkout, and for tests. */
  tools: join(ROOT, ".local", "tools"),
  redisData: join(LOCAL, "redis"),
  mail: join(LOCAL, "mail"),
  /** For the person who starts it, for `npm run demo` and for tests. */
  credentials: join(LOCAL, "credentials.json"),
  /** Which processes run. */
  state: join(LOCAL, "stack.json"),
  /** Where Postgres lives when its user cannot enter the checkout. */
  outside: join(LOCAL, "outside.json"),
} as const;
