import { isDeepStrictEqual } from "node:util";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import { type Container, find, type Manifest, type Pod, podsOf } from "./manifests.ts";

/** Renders a value set of `ci/` with settings on top of it. */
export type RenderSet = (set: string, settings?: string[]) => Promise<Manifest[]>;

export interface RenderedRule {
  name: string;
  /** Rejects with what is broken. */
  holds(render: RenderSet): Promise<void>;
}

const DEFAULTS = "existing-secrets.yaml";

/** What must hold between renderings with different values. */
export const RENDERED_RULES: RenderedRule[] = [
  { name: "a Job whose template changes has another name, and one whose template stays keeps it", holds: jobNames },
  { name: "a new control plane alone restarts no gateway", holds: gatewaysStay },
  { name: "either half of a drain is enough for commands and for closing at the set pace", holds: drainsFit },
  { name: "no ports: no edge", holds: noPortsNoEdge },
  { name: "all processes are given the authorities of trustedCa", holds: authoritiesForAll },
  { name: "the trial's Postgres has a connection for every pool", holds: poolsFit },
  { name: "the trial's images are named by their whole versions", holds: imagesPinned },
  { name: "traces leave every process where they are switched on, and none where not", holds: tracesLeave },
  { name: "KEDA counts the pods of its release alone", holds: ownPodsAlone },
];

const want = (holds: boolean, what: string) => {
  if (!holds) throw new Error(what);
};

async function jobNames(render: RenderSet): Promise<void> {
  const job = async (...settings: string[]) => {
    const { metadata, spec } = find(await render(DEFAULTS, settings), "Job", "");
    return { name: metadata.name, spec };
  };
  const first = await job();
  for (const setting of [
    'podDefaults.podAnnotations={"example.com/team":"a"}',
    'migrate.podLabels={"team":"a"}',
    'images.controlPlane.tag="x"',
    'config.LOG_LEVEL="debug"',
    'nameOverride="other"',
    "api.replicas=5",
  ]) {
    const other = await job(setting);
    const [sameName, sameSpec] = [other.name === first.name, isDeepStrictEqual(other.spec, first.spec)];
    want(
      sameName === sameSpec,
      `${setting}: the Job ${sameSpec ? "is the same" : "differs"}, its name does not say so`,
    );
  }
}

async function gatewaysStay(render: RenderSet): Promise<void> {
  const template = async (...settings: string[]) =>
    find(await render(DEFAULTS, settings), "Deployment", "-gateway").spec;
  const after = await template('images.controlPlane.tag="x"');
  want(isDeepStrictEqual(after, await template()), "the gateways' Deployment changes with the other image");
}

async function drainsFit(render: RenderSet): Promise<void> {
  for (const [connections, perSecond, commands] of [
    [10_000, 500, 20],
    [20_000, 500, 20],
    [1_000, 500, 90],
    [10_001, 500, 0],
  ] as const) {
    const about = `${connections} connections, ${perSecond}/s, ${commands} s for commands`;
    const drain = [`gateway.drain.closesPerSecond=${perSecond}`, `gateway.drain.commandSeconds=${commands}`];
    const gateway = find(
      await render(DEFAULTS, [`gateway.connectionsPerPod=${connections}`, ...drain]),
      "Deployment",
      "-gateway",
    );
    const [{ spec }] = podsOf([gateway]) as [Pod];
    const [container] = spec.containers as [Container & { lifecycle: { preStop: { sleep: { seconds: number } } } }];
    const seconds = (name: string) => Number(container.env?.find((variable) => variable.name === name)?.value) / 1_000;
    const half = seconds("DRAIN_DEADLINE_MS") / 2;
    want(half >= connections / perSecond && half >= commands, `${about}: half of the drain is ${half} s`);
    const preStop = container.lifecycle.preStop.sleep.seconds;
    const [stop, grace] = [seconds("SHUTDOWN_DEADLINE_MS"), spec.terminationGracePeriodSeconds ?? 0];
    want(stop > 2 * half && grace > stop + preStop, `${about}: ${stop} s to stop, of ${grace} s`);
    const { minReadySeconds } = gateway.spec as { minReadySeconds: number };
    want(minReadySeconds >= 2 * half, `${about}: the next gateway follows after ${minReadySeconds} s`);
  }
}

async function noPortsNoEdge(render: RenderSet): Promise<void> {
  const names = async (...settings: string[]) =>
    (await render(DEFAULTS, settings)).flatMap(({ kind, metadata }) =>
      kind === "NetworkPolicy" ? [metadata.name] : [],
    );
  const edge = "dynamo-csms-decisions-to-outside";
  want((await names()).includes(edge), `${edge} is not there at all`);
  want(!(await names("networkPolicy.outsidePorts=[]")).includes(edge), `${edge} is there without ports`);
}

async function authoritiesForAll(render: RenderSet): Promise<void> {
  const given = await render(DEFAULTS, ['trustedCa.existingSecret="x"']);
  for (const { owner, spec } of podsOf(given))
    // The gateways' `wait` talks to nobody by TLS, and is given nothing.
    for (const { name, env = [] } of [...spec.containers, ...(spec.initContainers ?? []).filter((each) => each.env)])
      want(
        env.some((variable) => variable.name === "NODE_EXTRA_CA_CERTS"),
        `${owner}: ${name} is not given them`,
      );
}

/** Beside the pools that variables size: of intake for shapes, of jobs for sweeps, of others while they run. */
const MORE = { intake: 2, jobs: 16, decisions: 0, api: 0 };
const PASSING = { migrate: 3, test: 6, cli: 5, superuser: 3 };

async function poolsFit(render: RenderSet): Promise<void> {
  const manifests = await render("trial.yaml");
  const documented = readFileSync(join(FOLDERS.root, "docs", "configuration.md"), "utf8");
  let needed = Object.values(PASSING).reduce((sum, each) => sum + each);
  for (const [name, more] of Object.entries(MORE)) {
    const { replicas } = find(manifests, "Deployment", `-${name}`).spec as { replicas: number };
    const [, size] = new RegExp(`${name.toUpperCase()}_POSTGRES_CONNECTIONS\` \\| \`(\\d+)\``).exec(documented) ?? [];
    // In an upgrade there is a pod more, and one that waits for the schema.
    needed += (replicas + 1) * (Number(size) + more) + 1;
  }
  const [{ spec }] = podsOf([find(manifests, "StatefulSet", "-trial-postgres")]) as [Pod];
  const allowed = Number(/max_connections=(\d+)/.exec(spec.containers[0]?.args?.join(" ") ?? "")?.[1] ?? 100);
  want(allowed >= needed, `it allows ${allowed} connections, and the pools are ${needed}`);
}

async function imagesPinned(render: RenderSet): Promise<void> {
  const images = podsOf(await render("trial.yaml"))
    .filter(({ owner }) => owner.startsWith("StatefulSet"))
    .flatMap(({ spec }) => spec.containers.map(({ image }) => image));
  want(images.length === 3, `want three servers, and there are ${images.join(", ")}`);
  const floating = images.filter((image) => !/:v?\d+\.\d+(\.\d+)?(-[\w.]+)?$|@sha256:[0-9a-f]{64}$/.test(image));
  want(floating.length === 0, `${floating.join(", ")} may be another image tomorrow`);
}

async function tracesLeave(render: RenderSet): Promise<void> {
  const [on, off] = [await render("production.yaml"), await render(DEFAULTS)];
  const named = (manifests: Manifest[]) => manifests.map(({ metadata }) => metadata.name);
  const edge = "dynamo-csms-all-to-collector";
  want(named(on).includes(edge) && !named(off).includes(edge), `${edge}: want it with traces alone`);
  const variables = (manifests: Manifest[], name: string) => {
    const [{ spec }] = podsOf([find(manifests, "Deployment", `-${name}`)]) as [Pod];
    return (spec.containers[0]?.env ?? []).filter((variable) => variable.name.startsWith("OTEL_"));
  };
  for (const name of ["gateway", "api", "decisions", "intake", "jobs"]) {
    want(variables(off, name).length === 0, `${name} is told of traces that are not switched on`);
    const told = Object.fromEntries(variables(on, name).map((each) => [each.name, each.value]));
    const wanted = {
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.observability:4318",
      OTEL_EXPORTER_OTLP_HEADERS_FILE: "/run/secrets/dynamo/OTEL_EXPORTER_OTLP_HEADERS",
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.01",
    };
    want(isDeepStrictEqual(told, wanted), `${name} is told ${JSON.stringify(told)}`);
  }
}

async function ownPodsAlone(render: RenderSet): Promise<void> {
  for (const name of ["gateway", "intake"]) {
    const { spec } = find(await render("gateway-api-keda.yaml"), "ScaledObject", `-${name}`);
    const [{ metadata }] = (spec as { triggers: [{ metadata: { query: string } }] }).triggers;
    const [, pods = ""] = /pod=~"([^"]+)"/.exec(metadata.query) ?? [];
    const counts = new RegExp(`^(?:${pods})$`);
    want(counts.test(`dynamo-csms-${name}-7d9c5b6f4-x2x9z`), `${metadata.query} does not count its own pods`);
    for (const other of [`b-${name}-7d9c5b6f4-x2x9z`, `dynamo-csms-${name}-${name}-7d9c5b6f4-x2x9z`])
      want(!counts.test(other), `${metadata.query} counts ${other}`);
  }
}
