// `npm run images:test`: what is in the images that `npm run images` has built; then the chart's pods out of them, as another
// user than root and with a read-only root file system, on a real Redis and Postgres, and the demo played against them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { helmProgram, NotHere } from "../chart/go-tools.ts";
import { createReport } from "../chart/report.ts";
import { runSet } from "../chart/run-rendered.ts";
import { FOLDERS } from "../folders.ts";
import { startMailSink } from "../mail-sink.ts";
import { startTestPostgres, startTestRedis } from "../test-servers.ts";
import { containerRunner } from "./container-runner.ts";
import { playDemo } from "./demo-on-images.ts";
import { IMAGES, imageTag, works } from "./engine.ts";
import { imageMistakes, runAlone, runtimeMistakes } from "./image-checks.ts";
import { unpackImage, type UnpackedImage } from "./unpacked-image.ts";

/** As an operator's own installation, but for the addresses: the demo speaks without TLS, and waits for Heartbeats. */
const SETTINGS = [
  'environment="development"',
  'publicUrls.api="http://dynamo-csms-api:3000"',
  'publicUrls.ocpp="ws://dynamo-csms-gateway:9000"',
  "config.HEARTBEAT_INTERVAL_SECONDS=30",
];
const ADDON = "/app/node_modules/uWebSockets.js";

const { version } = JSON.parse(readFileSync(join(FOLDERS.root, "package.json"), "utf8")) as { version: string };
const report = createReport();
const images = await report.need("what runs images", openImages);
if (images !== undefined) {
  try {
    await lookAt(images);
    const helm = await report.need("Helm", () => helmProgram(console.log));
    if (helm !== undefined) await runAll(images, helm);
  } finally {
    for (const image of images.values()) await image.remove();
  }
}
process.exit(report.finish());

async function openImages(): Promise<Map<string, UnpackedImage>> {
  const root = process.getuid?.() === 0;
  if (!root || !(await works("buildah", ["--version"])) || !(await works("runc", ["--version"])))
    throw new NotHere("running images wants buildah and runc, as root (Debian: apt-get install buildah runc)");
  const opened = new Map<string, UnpackedImage>();
  for (const name of IMAGES) opened.set(imageTag(name, version), await unpackImage(name, version));
  return opened;
}

function imageOf(opened: Map<string, UnpackedImage>): (name: string) => UnpackedImage {
  return (name) => {
    const image = opened.get(name);
    if (image === undefined) throw new Error(`the chart wants ${name}, and there are ${[...opened.keys()].join(", ")}`);
    return image;
  };
}

function none(mistakes: string[]): void {
  if (mistakes.length > 0) throw new Error(mistakes.join("\n"));
}

async function lookAt(opened: Map<string, UnpackedImage>): Promise<void> {
  const run = containerRunner(imageOf(opened));
  for (const name of IMAGES) {
    const tag = imageTag(name, version);
    const image = imageOf(opened)(tag);
    await report.check(`${tag}: no tools, no sources, labels, SBOM`, () => none(imageMistakes(name, image, version)));
    await report.check(`${tag}: not root, read-only, no capabilities`, async () =>
      none(await runtimeMistakes(tag, run)),
    );
  }
  await report.check("a gateway without its native addon does not start, and says so", async () => {
    const lost = containerRunner(imageOf(opened), { [`${ADDON}/uws_linux_${process.arch}_137.node`]: "/dev/null" });
    const { code, said } = await runAlone(imageTag("gateway", version), ["gateway/dist/main.js"], lost);
    if (code === 0 || !said.includes("uWS")) throw new Error(`it ended with ${code}: ${said}`);
  });
}

async function runAll(opened: Map<string, UnpackedImage>, helm: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-mails-"));
  const mail = await startMailSink({ folder, host: "127.0.0.1", httpPort: 0, smtpPort: 0 });
  const redis = await startTestRedis({ appendOnly: true });
  const postgres = await startTestPostgres();
  try {
    const secrets = {
      "csms-redis": { REDIS_URL: redis.url },
      "csms-postgres": { DATABASE_URL: postgres.url },
      "csms-smtp": { SMTP_URL: `smtp://127.0.0.1:${mail.smtpPort}` },
    };
    await runSet(
      {
        set: "existing-secrets.yaml",
        settings: SETTINGS,
        secrets,
        async meanwhile(cluster, bootstrapped) {
          await report.check("the demo against the images", async () => {
            await playDemo(cluster, bootstrapped, `http://127.0.0.1:${mail.httpPort}`);
          });
        },
      },
      { helm, report, run: containerRunner(imageOf(opened)) },
    );
  } finally {
    await mail.close();
    await Promise.all([redis.remove(), postgres.remove()]);
    rmSync(folder, { recursive: true, force: true });
  }
}
