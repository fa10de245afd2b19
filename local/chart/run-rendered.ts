import { join } from "node:path";
import { eventually } from "../e2e/eventually.ts";
import { startTestPostgres, startTestRedis, type TestServer } from "../test-servers.ts";
import { CHART } from "./chart-folder.ts";
import { type Container, render } from "./manifests.ts";
import {
  lastLines,
  type LocalPod,
  madeSecrets,
  type PretendCluster,
  pretendCluster,
  type Runner,
  type Secrets,
} from "./pretend-cluster.ts";
import { runProcess } from "./process-runner.ts";
import type { Report } from "./report.ts";

/** What comes before what, in an installation as in an upgrade. */
const ORDER = [
  ["migrate", "intake"],
  ["intake", "jobs"],
  ["intake", "decisions"],
  ["jobs", "api"],
  ["decisions", "api"],
  ["api", "gateway"],
] as const;

/**
 * Starts the real processes with what the chart gives them, all at once as a cluster does, on a real Redis and Postgres; then
 * what NOTES.txt says to do next, `helm test`, and the end of them all. Once with TLS at the edge, then, on the same databases
 * and with the same keys, as an upgrade finds them, with TLS in the gateways.
 */
export async function runRendered(helm: string, report: Report): Promise<void> {
  const servers: TestServer[] = [];
  try {
    const existing = await report.need("Redis and Postgres", async (): Promise<Secrets> => {
      servers.push(await startTestRedis({ appendOnly: true }), await startTestPostgres());
      const [redis, postgres] = servers as [TestServer, TestServer];
      return {
        "csms-redis": { REDIS_URL: redis.url },
        "csms-postgres": { DATABASE_URL: postgres.url },
        "csms-smtp": { SMTP_URL: "smtp://127.0.0.1:25" }, // nobody is sent a mail here
      };
    });
    if (existing === undefined) return;
    const deps = { helm, report, run: runProcess };
    const made = await runSet({ set: "existing-secrets.yaml", secrets: existing }, deps);
    const pair = made["dynamo-csms-decisions-tls"] ?? {}; // any certificate will do
    const secrets = { ...existing, ...made, "ocpp-tls": pair, "stations-ca": pair };
    await runSet({ set: "tls-in-gateway.yaml", secrets }, deps);
  } finally {
    await Promise.all(servers.map((server) => server.remove()));
  }
}

export interface SetRun {
  /** A file of `ci/`. */
  set: string;
  /** On top of it, as `helm --set-json` takes them. */
  settings?: string[];
  /** Those that the chart does not make. */
  secrets: Secrets;
  /** What else to do while everything runs. */
  meanwhile?(cluster: PretendCluster, bootstrapped: string): Promise<void>;
}

/** Runs all that a set of values makes, and looks at it. Returns the Secrets that the chart made. */
export async function runSet(
  { set, settings = [], secrets, meanwhile }: SetRun,
  { helm, report: { check }, run }: { helm: string; report: Report; run: Runner },
): Promise<Secrets> {
  const { manifests } = await render(helm, [join(CHART, "ci", set)], settings);
  const cluster = pretendCluster(manifests, secrets, run);
  let bootstrapped = "";
  try {
    await check(`the processes start with their rendered environment, ${set}`, () => startAll(cluster));
    await check(`they began in the order of an upgrade, ${set}`, () => inOrder(cluster));
    await check(`their probes are answered, ${set}`, () => probed(cluster));
    await check(`the first organisation is made as NOTES.txt says, ${set}`, async () => {
      const program = ["control-plane/dist/processes/cli/main.js", "bootstrap", "--name", "CPO"];
      const address = ["--contact-email", "operations@cpo.example"];
      bootstrapped = await cluster.exec(podOf(cluster, "api"), [...program, ...address]);
      if (!bootstrapped.includes('"org_id"')) throw new Error(bootstrapped);
    });
    await check(`helm test: a charge point connects, boots and is commanded, ${set}`, async () => {
      const [container] = podOf(cluster, "test").pod.spec.containers as [Container];
      const said = await cluster.exec(podOf(cluster, "test"), container.args);
      if (!said.includes("charge points are served")) throw new Error(said);
    });
    await meanwhile?.(cluster, bootstrapped);
    await check(`each ends in order, within its grace period, ${set}`, async () => {
      for (const name of ["gateway", "api", "jobs", "decisions", "intake"]) await stopped(podOf(cluster, name));
    });
  } finally {
    await cluster.remove();
  }
  return madeSecrets(manifests);
}

function podOf({ pods }: PretendCluster, component: string): LocalPod {
  const found = pods.find(({ pod }) => pod.labels["app.kubernetes.io/component"] === component);
  if (found === undefined) throw new Error(`no pod of ${component}`);
  return found;
}

/** Those that wait come first, so that they really wait. */
async function startAll(cluster: PretendCluster): Promise<void> {
  const components = ["gateway", "api", "decisions", "jobs", "intake", "migrate"];
  await Promise.all(
    components.map(async (component) => {
      const pod = podOf(cluster, component);
      await cluster.start(pod);
      if (component === "migrate") return;
      await eventually(`${pod.name} is ready`, async () => {
        if (pod.running?.hasEnded() === true) throw new Error(`${pod.name} ended:\n${lastLines(pod.logFile)}`);
        return answers(pod, "readiness");
      });
    }),
  );
}

function inOrder(cluster: PretendCluster): void {
  for (const [first, second] of ORDER) {
    const [before, after] = [first, second].map((name) => podOf(cluster, name).beganAtMs ?? Number.NaN) as [
      number,
      number,
    ];
    if (!(before < after)) throw new Error(`${second} did not begin after ${first}`);
  }
}

async function probed(cluster: PretendCluster): Promise<void> {
  for (const pod of cluster.pods.filter(({ pod: { owner } }) => owner.startsWith("Deployment")))
    for (const probe of ["startup", "liveness", "readiness"] as const)
      if (!(await answers(pod, probe))) throw new Error(`${pod.name}: its ${probe} probe is not answered with 2xx`);
}

async function answers({ pod, address }: LocalPod, probe: "startup" | "liveness" | "readiness"): Promise<boolean> {
  const [container] = pod.spec.containers as [Container];
  const { path, port } = container[`${probe}Probe`]?.httpGet ?? { path: "", port: "" };
  const number = container.ports?.find(({ name }) => name === port)?.containerPort;
  return fetch(`http://${address}:${number}${path}`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function stopped({ name, pod, running, logFile }: LocalPod): Promise<void> {
  const graceMs = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1_000;
  running?.kill("SIGTERM");
  const code = await Promise.race([
    running?.exit,
    new Promise<"late">((resolve) => setTimeout(resolve, graceMs, "late").unref()),
  ]);
  if (code !== 0) throw new Error(`${name} ended with ${code}\n${lastLines(logFile)}`);
}
