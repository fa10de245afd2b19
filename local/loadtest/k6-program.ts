import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

export interface K6Program {
  command: string;
  /** As it says itself. */
  version: string;
}

interface Build {
  version: string;
  module: string;
}

/** In this order: the second where the first cannot be had. Both ask for Go 1.25, which an older Go fetches. */
const BUILDS: readonly Build[] = [
  { version: "2.2.0", module: "go.k6.io/k6/v2" },
  { version: "1.8.1", module: "go.k6.io/k6" },
];
const GO_VERSION = "1.25.0";
/** Before it k6 had neither this WebSocket module nor TypeScript for good. */
const LEAST_MAJOR = 1;
/** For both together: who waits for a machine without a proxy is told so, and does not wait for an hour. */
const BUILD_DEADLINE_MS = 8 * 60_000;
const VERSION_DEADLINE_MS = 20_000;
const REMEDY =
  "install k6 1.0 or newer (https://grafana.com/docs/k6/latest/set-up/install-k6/), or Go 1.24 or newer (https://go.dev/dl/), with which it is built";

/**
 * k6: the one on PATH, else the one built before, else built with Go, which takes some minutes once.
 *
 * @param folder where built programs are kept
 * @param say progress for a person
 * @throws with the remedy when there is none
 */
export async function k6Program(folder: string, say: (line: string) => void): Promise<K6Program> {
  const installed = await runs("k6");
  if (installed !== undefined) return installed;
  for (const { version } of BUILDS) {
    const built = await runs(pathOf(folder, version));
    if (built !== undefined) return built;
  }
  if (!(await hasGo())) throw new Error(`there is neither k6 nor Go on PATH: ${REMEDY}`);
  const failures: string[] = [];
  const deadline = Date.now() + BUILD_DEADLINE_MS;
  for (const build of BUILDS) {
    const leftMs = deadline - Date.now();
    if (leftMs <= 0) break;
    say(`k6: none on this machine, building ${build.module} ${build.version} with Go: some minutes, once`);
    const failure = await install(folder, build, leftMs);
    const built = failure === undefined ? await runs(pathOf(folder, build.version)) : undefined;
    if (built !== undefined) return built;
    failures.push(`${build.module} ${build.version}: ${failure ?? "does not run on this machine"}`);
  }
  throw new Error(`k6 could not be built: ${REMEDY}\n${failures.join("\n")}`);
}

const pathOf = (folder: string, version: string): string => join(folder, `k6-${version}`, "k6");

async function runs(command: string): Promise<K6Program | undefined> {
  if (command !== "k6" && !existsSync(command)) return undefined;
  try {
    const { stdout } = await promisify(execFile)(command, ["version"], { timeout: VERSION_DEADLINE_MS });
    const version = /v(\d+)\.\d+\.\d+/.exec(stdout);
    return Number(version?.[1]) >= LEAST_MAJOR ? { command, version: version?.[0] ?? "" } : undefined;
  } catch {
    return undefined;
  }
}

const hasGo = (): Promise<boolean> =>
  promisify(execFile)("go", ["version"], { timeout: VERSION_DEADLINE_MS }).then(
    () => true,
    () => false,
  );

/**
 * Into a folder of its own, renamed when it is whole. In a module of ours that asks for exactly this version: `go install` asks
 * for the newest one too, which not every module proxy tells. @returns why it failed
 */
async function install(folder: string, { version, module }: Build, deadlineMs: number): Promise<string | undefined> {
  const unfinished = join(folder, `k6-${version}.new`);
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(join(unfinished, "go.mod"), `module k6build\n\ngo ${GO_VERSION}\n\nrequire ${module} v${version}\n`);
  const child = spawn(
    "go",
    ["build", "-mod=mod", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", "k6", module],
    {
      cwd: unfinished,
      env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "" },
      stdio: ["ignore", "ignore", "pipe"],
      timeout: deadlineMs,
    },
  );
  let said = "";
  child.stderr.on("data", (chunk) => (said = `${said}${chunk}`.slice(-2_000)));
  const code = await new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(1));
    child.once("close", resolve);
  });
  if (code === 0) {
    const finished = join(folder, `k6-${version}`);
    rmSync(finished, { recursive: true, force: true });
    renameSync(unfinished, finished);
    return undefined;
  }
  rmSync(unfinished, { recursive: true, force: true });
  if (child.signalCode !== null) return `not built within ${Math.round(deadlineMs / 1_000)} s`;
  return said.trim() || "go build ended without a word";
}
