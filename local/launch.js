// Plain JavaScript: runs on Node 18 and later. `node local/launch.js FILE.ts [arguments]` prepares the checkout and runs
// a TypeScript file of this project on the project's own Node. With `--as-is` before the file nothing is prepared: what
// ends a running stack must not install packages under it.
import { spawn } from "node:child_process";
import { prepare, projectNode } from "./prepare.js";

const asIs = process.argv[2] === "--as-is";
const [file, ...args] = process.argv.slice(asIs ? 3 : 2);
if (!file) {
  console.error("usage: node local/launch.js [--as-is] FILE.ts [arguments]");
  process.exit(2);
}

let node;
try {
  node = asIs ? projectNode() : prepare();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

const child = spawn(node, ["--conditions=source", file, ...args], { stdio: "inherit" });
child.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
// Ctrl-C reaches the child from the terminal as well; it takes the second one for the same.
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
  process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
