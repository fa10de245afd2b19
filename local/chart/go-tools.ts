import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { FOLDERS } from "../folders.ts";

const run = promisify(execFile);
const HELM = { module: "helm.sh/helm/v4/cmd/helm", version: "v4.3.1" };
/** A machine that cannot fetch is told so. */
const LONGEST_BUILD_MS = 360_000;
const LONGEST_DOWNLOAD_MS = 180_000;

/** What cannot be run on this machine, and what would help. */
export class NotHere extends Error {}

/**
 * Helm: the one built before, else the one on PATH (3.14 or newer), else built with Go into the folder of tools.
 *
 * @throws NotHere on a machine with neither
 */
export async function helmProgram(say: (line: string) => void): Promise<string> {
  const built = join(FOLDERS.tools, `helm-${HELM.version}`, "helm");
  if (existsSync(built)) return built;
  const installed = await version("helm", ["version", "--template", "{{.Version}}"]);
  const [, major = 0, minor = 0] = /^v(\d+)\.(\d+)\./.exec(installed ?? "")?.map(Number) ?? [];
  if (major > 3 || (major === 3 && minor >= 14)) return "helm";
  await requireGo("Helm 3.14 or newer");
  say(`building Helm ${HELM.version} (a minute or two the first time)`);
  const scratch = `${join(FOLDERS.tools, `helm-${HELM.version}`)}.${process.pid}`;
  mkdirSync(scratch, { recursive: true });
  try {
    // It runs for moments: what the compiler would spend on making it fast is not worth the wait.
    await run(
      "go",
      ["install", "-buildvcs=false", "-gcflags=all=-N -l", "-ldflags=-s -w", `${HELM.module}@${HELM.version}`],
      {
        env: { ...process.env, GOBIN: scratch },
        timeout: LONGEST_BUILD_MS,
        maxBuffer: 16 << 20,
      },
    );
    rmSync(join(FOLDERS.tools, `helm-${HELM.version}`), { recursive: true, force: true });
    renameSync(scratch, join(FOLDERS.tools, `helm-${HELM.version}`));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return built;
}

/**
 * The folder of a Go module, fetched through Go's proxy and checked against its checksum database.
 *
 * @throws NotHere without Go
 */
export async function goModule(module: string): Promise<string> {
  await requireGo(`${module}, for the schemas of Kubernetes objects`);
  const { stdout } = await run("go", ["mod", "download", "-json", module], {
    cwd: "/",
    timeout: LONGEST_DOWNLOAD_MS,
    maxBuffer: 1 << 20,
  });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}

async function requireGo(what: string): Promise<void> {
  if ((await version("go", ["version"])) === undefined)
    throw new NotHere(`${what}: not on this machine, and no Go to get it with (https://go.dev/dl)`);
}

async function version(command: string, args: string[]): Promise<string | undefined> {
  try {
    return (await run(command, args)).stdout.trim();
  } catch {
    return undefined;
  }
}
