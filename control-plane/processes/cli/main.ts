// The command line: what an administrator does without the REST API. Results go to stdout, the rest to stderr.
import { readFileSync } from "node:fs";
import { COMMANDS } from "./commands.ts";
import { EXIT } from "./explain-fault.ts";
import { runCli } from "./run-cli.ts";

/** An end that somebody asked for has this long; what runs then is cut off. */
const END_MS = 5_000;

/** A terminal tells everything that runs in it, and what started this tells it once more. */
const SAME_MS = 500;

const stop = new AbortController();
let stoppedAtMs = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    // A second one: now.
    if (stop.signal.aborted) {
      if (performance.now() - stoppedAtMs > SAME_MS) process.exit(EXIT.interrupted);
      return;
    }
    stoppedAtMs = performance.now();
    stop.abort();
    setTimeout(() => process.exit(EXIT.interrupted), END_MS).unref();
  });
// Whoever reads has had enough (`| head`).
process.stdout.on("error", (fault: NodeJS.ErrnoException) => {
  if (fault.code !== "EPIPE") throw fault;
  process.exit(EXIT.done);
});

process.exitCode = await runCli(process.argv.slice(2), COMMANDS, {
  env: process.env,
  readFile: (path) => readFileSync(path, "utf8"),
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stop.signal,
});
