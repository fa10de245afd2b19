// `npm run reset`: ends the stack and deletes all that it keeps: databases, mails, secrets, fetched programs.
import { existsSync, rmSync } from "node:fs";
import { FOLDERS } from "./folders.ts";
import { removeOutsideHome } from "./postgres-home.ts";
import { stopRunning } from "./stop-running.ts";

if ((await stopRunning(FOLDERS.state)) === "stopped") console.log("stopped");
const outside = removeOutsideHome(FOLDERS.outside);
if (outside) console.log(`deleted ${outside}`);
if (existsSync(FOLDERS.local)) {
  rmSync(FOLDERS.local, { recursive: true, force: true });
  console.log(`deleted ${FOLDERS.local}`);
}
