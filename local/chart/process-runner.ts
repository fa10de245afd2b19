import { spawn } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { FOLDERS } from "../folders.ts";
import type { Runner } from "./pretend-cluster.ts";

/** Part of util-linux: the kernel ends a pod's process when the thread that started it is gone. */
const SETPRIV = "/usr/bin/setpriv";
/** Where Secrets are mounted in the chart's pods. */
const MOUNT = "/run/secrets/dynamo";

/** Runs the sources of this checkout in place of the images' programs, and takes the files of Secrets from where they are. */
export const runProcess: Runner = ({ logFile, secretsFolder }, { args, env, hosts }) => {
  const [program = "", ...rest] = args;
  const names = new URLSearchParams({ hosts: JSON.stringify(hosts) });
  const preload = `${pathToFileURL(join(import.meta.dirname, "resolve-names.ts")).href}?${names.toString()}`;
  const output = openSync(logFile, "a", 0o600);
  const hasSetpriv = existsSync(SETPRIV);
  const command = hasSetpriv ? SETPRIV : process.execPath;
  const before = hasSetpriv ? ["--pdeathsig", "KILL", process.execPath] : [];
  const started = ["--conditions=source", "--import", preload, sourceOf(program), ...rest];
  const child = spawn(command, [...before, ...started], {
    cwd: FOLDERS.root,
    env: {
      PATH: process.env["PATH"],
      ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value.replace(MOUNT, secretsFolder)])),
    },
    stdio: ["ignore", output, output],
  });
  return {
    pid: child.pid,
    exit: new Promise((resolve) => child.once("exit", resolve)),
    kill: (signal) => void child.kill(signal),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
  };
};

/** The images hold what these files become. */
const sourceOf = (program: string) => program.replace("/dist/", "/").replace(/\.js$/, ".ts");
