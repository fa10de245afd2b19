import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CHART } from "../chart/chart-folder.ts";
import { helmProgram } from "../chart/go-tools.ts";
import { type Manifest, render } from "../chart/manifests.ts";
import { pretendApi } from "../chart/pretend-api.ts";
import { madeSecrets } from "../chart/pretend-cluster.ts";
import { runProcess } from "../chart/process-runner.ts";
import type { Member } from "../faults/contract.ts";
import { sumOf } from "../faults/system/member.ts";
import { gatewayNodeOptions } from "../image-node-options.ts";
import { startMailSink } from "../mail-sink.ts";
import { startTestPostgres, startTestRedis } from "../test-servers.ts";
import { LocalCluster, type Replacement } from "../upgrade/local-cluster.ts";
import type { Replica } from "../upgrade/replica.ts";
import { lookInside } from "./look-inside.ts";
import type { LoadtestOptions } from "./options.ts";
import { ID_TAG, type LoadedSystem, POSTGRES_PARAMETERS, type WatchedProcess } from "./start-system.ts";

/** A system that runs as the Helm chart renders it, and can be upgraded as Helm and a cluster would. */
export interface ReleasedSystem extends LoadedSystem {
  version: string;
  /** What the release is called that it becomes. */
  nextVersion: string;
  /** Values of the chart that were set, as Helm takes them. */
  settings: readonly string[];
  /** Renders the chart for the next release and has the cluster make it true. @param tell of each pod that took its place */
  upgrade(tell: (replacement: Replacement) => void): Promise<void>;
  /** Every pod that there was. */
  readonly pods: readonly Replica[];
  /** The gateways that run now. */
  readonly gatewayPods: readonly Replica[];
  /** What `npm run cli -- …` prints, in a pod of api. */
  cli(...args: string[]): Promise<string>;
}

/** What an installation with servers of its own sets at least: everything else is as the chart has it. */
const VALUES = join(CHART, "ci", "existing-secrets.yaml");
const CLI = "control-plane/dist/processes/cli/main.js";
/** Those that say what they do by metrics of their own; a wait or a migration is not watched. */
const KINDS: Record<string, Member["kind"]> = {
  gateway: "gateway",
  decisions: "decisions",
  intake: "intake",
  jobs: "jobs",
  api: "api",
};

/**
 * Renders the chart, starts what it renders and waits until everything is ready. Throws with the reason when something
 * does not start.
 */
export async function startRelease(
  { out, gateways, intakes, values, statements }: LoadtestOptions,
  say: (line: string) => void,
): Promise<ReleasedSystem> {
  if (statements) throw new Error("--statements: not in an upgrade");
  const helm = await helmProgram(say);
  const settings = [
    ...(gateways === undefined ? [] : [`gateway.replicas=${gateways}`]),
    ...(intakes === undefined ? [] : [`intake.replicas=${intakes}`]),
    ...values,
  ];
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const step of closers.toReversed()) await step().catch(() => {});
  };
  try {
    const [redis, postgres, mail] = await Promise.all([
      startTestRedis({ appendOnly: true }),
      startTestPostgres({ parameters: POSTGRES_PARAMETERS }),
      startMailSink({ folder: join(out, "mail"), host: "127.0.0.1", httpPort: 0, smtpPort: 0 }),
    ]);
    closers.push(
      () => redis.remove(),
      () => postgres.remove(),
      () => mail.close(),
    );
    const existing = {
      "csms-redis": { REDIS_URL: redis.url },
      "csms-postgres": { DATABASE_URL: postgres.url },
      "csms-smtp": { SMTP_URL: `smtp://127.0.0.1:${mail.smtpPort}` },
    };
    const { manifests } = await render(helm, [VALUES], settings);
    const made = madeSecrets(manifests);
    const folder = join(out, "pods");
    const cluster = await LocalCluster.open({ folder, secrets: existing, run: runProcess, imageVariables });
    closers.push(() => cluster.close());
    await cluster.apply(manifests, () => {});
    const inside = lookInside({ redisUrl: redis.url, databaseUrl: postgres.url });
    closers.push(() => inside.close());

    const cli = async (...args: string[]): Promise<string> => {
      const [api] = cluster.of("api");
      if (api === undefined) throw new Error("there is no pod of api");
      return api.exec([CLI, ...args]);
    };
    const bootstrap = await cli("bootstrap", "--name", "Load test", "--contact-email", "operations@cpo.example");
    const credentials = bootstrap.split("\n").find((line) => line.includes('"api_key"'));
    if (credentials === undefined) throw new Error(`no organisation:\n${bootstrap}`);
    await cli("id-tokens", "add", "--token", ID_TAG, "--max-active", "unlimited");

    const running = () => cluster.replicas.filter(({ life, hasEnded }) => life.beganAtMs !== undefined && !hasEnded);
    const version = versionOf(manifests);
    const nextVersion = `${version}-next`;
    return {
      get gateways() {
        return running()
          .filter(({ component }) => component === "gateway")
          .map(watched);
      },
      get members() {
        return running().flatMap((pod) => (KINDS[pod.component] === undefined ? [] : [watched(pod)]));
      },
      get pods() {
        return cluster.replicas;
      },
      get gatewayPods() {
        return cluster.of("gateway");
      },
      ocppUrls: [`ws://${cluster.service("-gateway")}/ocpp`],
      redisPid: redis.pid(),
      postgresPid: postgres.pid(),
      apiUrl: `http://${cluster.service("-api")}`,
      apiKey: (JSON.parse(credentials) as { api_key: string }).api_key,
      sql: inside.sql,
      entriesBehind: inside.entriesBehind,
      async generateStations(count, version) {
        const file = join(out, `stations-${version}.csv`);
        const args = ["charge-points", "generate", "--count", String(count), "--ocpp", version, "--accepted"];
        const output = await cli(...args, "--out", file);
        if (!existsSync(file)) throw new Error(`no stations were generated:\n${output}`);
        return readFileSync(file, "utf8").trim().split("\n").slice(1);
      },
      version,
      nextVersion,
      settings,
      async upgrade(tell) {
        // Helm finds the Secrets that it made, as in a cluster: new ones would lock out every station.
        const api = await pretendApi(manifests, made);
        try {
          const tags = [`images.gateway.tag="${nextVersion}"`, `images.controlPlane.tag="${nextVersion}"`];
          const release = { cluster: api.url, upgrade: true };
          const next = await render(helm, [VALUES], [...settings, ...tags], release);
          await cluster.apply(next.manifests, tell);
        } finally {
          api.close();
        }
      },
      cli,
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/** What the images' Dockerfiles set, and a checkout does not. */
function imageVariables(image: string): Record<string, string> {
  return {
    BUILD_VERSION: image.slice(image.lastIndexOf(":") + 1),
    ...(image.includes("/gateway:") && gatewayNodeOptions()),
  };
}

function versionOf(manifests: Manifest[]): string {
  const labels = manifests.find(({ kind }) => kind === "Deployment")?.metadata.labels;
  return labels?.["app.kubernetes.io/version"] ?? "0";
}

function watched(pod: Replica): WatchedProcess {
  return {
    name: pod.name.replace(/^dynamo-csms-/, ""),
    kind: KINDS[pod.component] as Member["kind"],
    pid: () => pod.running?.pid ?? 0,
    async metric(name) {
      const text = await pod.metrics();
      return text === undefined ? undefined : sumOf(text, name);
    },
  };
}
