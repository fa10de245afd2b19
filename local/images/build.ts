// `npm run images`: builds both images, with Docker where an engine answers, else with buildah and base images made here.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createReport } from "../chart/report.ts";
import { FOLDERS } from "../folders.ts";
import { baseImages } from "./base-images.ts";
import { buildah, findEngine, type ImageName, IMAGES, imageTag } from "./engine.ts";

const { version } = JSON.parse(readFileSync(join(FOLDERS.root, "package.json"), "utf8")) as { version: string };
const report = createReport();
const engine = await report.need("something that builds images", findEngine);
const bases = engine === "buildah" ? await report.need("base images", () => baseImages(console.log)) : [];
if (engine !== undefined && bases !== undefined) {
  const revision = await promisify(execFile)("git", ["rev-parse", "HEAD"], { cwd: FOLDERS.root }).then(
    ({ stdout }) => stdout.trim(),
    () => "unknown",
  );
  for (const name of IMAGES)
    await report.check(`${imageTag(name, version)}, by ${engine}`, () =>
      build(name, [...bases, `VERSION=${version}`, `REVISION=${revision}`]),
    );
  if (engine === "buildah") await report.check("former images are given up", () => buildah("rmi", "--prune"));
}
process.exit(report.finish());

async function build(name: ImageName, buildArguments: string[]): Promise<void> {
  // A network with authorities of its own has them here too.
  const authorities = process.env["NODE_EXTRA_CA_CERTS"];
  const own = authorities === undefined ? [] : [`NODE_EXTRA_CA_CERTS=${authorities}`];
  const args = [
    ...[...buildArguments, ...(engine === "buildah" ? own : [])].flatMap((text) => ["--build-arg", text]),
    ...["--file", join(FOLDERS.root, name, "Dockerfile"), "--tag", imageTag(name, version), FOLDERS.root],
  ];
  if (engine === "docker")
    await promisify(execFile)("docker", ["build", ...args], { cwd: FOLDERS.root, maxBuffer: 64 << 20 });
  else {
    const mounts = authorities === undefined ? [] : ["--volume", `${authorities}:${authorities}:ro`];
    await buildah("bud", "--isolation", "chroot", "--layers=false", ...mounts, ...args);
  }
}
