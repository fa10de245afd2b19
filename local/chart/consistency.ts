import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import { type Container, type Manifest, type Pod, podsOf } from "./manifests.ts";

type Labels = Record<string, string>;
interface Selector {
  matchLabels?: Labels;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}
interface Policy {
  podSelector: Selector;
  policyTypes: string[];
  ingress?: { from?: { podSelector?: Selector }[]; ports?: unknown[] | null }[];
  egress?: { to?: { podSelector?: Selector }[]; ports?: unknown[] | null }[];
}

/** What a schema cannot see: whether the objects fit together, and whether each pod is locked down. */
export function inconsistencies(manifests: Manifest[], { policies }: { policies: boolean }): string[] {
  const pods = podsOf(manifests);
  return [
    ...twice(manifests),
    ...pods.flatMap((pod) => [...insecurities(pod), ...brokenProbes(pod), ...unknownVariables(pod), ...lostFiles(pod)]),
    ...pods.flatMap(versionedLabels),
    ...lostServices(manifests, pods),
    ...lostAccounts(manifests, pods),
    ...(policies ? policyMistakes(manifests, pods) : []),
  ];
}

function twice(manifests: Manifest[]): string[] {
  const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  return names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is there twice`);
}

const containersOf = ({ spec }: Pod): Container[] => [...(spec.initContainers ?? []), ...spec.containers];

function insecurities(pod: Pod): string[] {
  const mistakes: string[] = [];
  const want = (holds: boolean, what: string) => void (holds || mistakes.push(`${pod.owner}: ${what}`));
  const security = pod.spec.securityContext;
  want(pod.spec.automountServiceAccountToken === false, "has a token of the cluster's API");
  want(security?.runAsNonRoot === true && (security.runAsUser ?? 0) > 0, "may run as root");
  want(security?.seccompProfile?.type === "RuntimeDefault", "has no seccomp profile");
  for (const { name, securityContext: own, resources } of containersOf(pod)) {
    want(own?.readOnlyRootFilesystem === true, `${name} writes to its root file system`);
    want(own?.allowPrivilegeEscalation === false, `${name} may gain privileges`);
    want(own?.capabilities?.drop?.includes("ALL") === true, `${name} has capabilities`);
    want(
      resources?.requests?.["memory"] !== undefined && resources.limits?.["memory"] !== undefined,
      `${name} has no bounds`,
    );
  }
  return mistakes;
}

function brokenProbes(pod: Pod): string[] {
  return containersOf(pod).flatMap((container) => {
    const ports = new Set((container.ports ?? []).map(({ name }) => name));
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    return probes.flatMap((probe) =>
      probe?.httpGet === undefined || ports.has(probe.httpGet.port)
        ? []
        : [`${pod.owner}: a probe asks port ${probe.httpGet.port}, which ${container.name} does not have`],
    );
  });
}

const KNOWN = new Set(
  [...readFileSync(join(FOLDERS.root, "docs", "configuration.md"), "utf8").matchAll(/^\| `([A-Z][A-Z0-9_]*)`/gm)].map(
    (match) => match[1] as string,
  ),
);

/** Our own processes read what docs/configuration.md names. */
function unknownVariables(pod: Pod): string[] {
  if (pod.owner.startsWith("StatefulSet")) return [];
  return containersOf(pod).flatMap(({ name, env = [] }) =>
    env
      .map((variable) => variable.name)
      .filter((variable) => !KNOWN.has(variable) && !KNOWN.has(variable.replace(/_FILE$/, "")))
      .map((variable) => `${pod.owner}: ${name} is given ${variable}, which no process reads`),
  );
}

/** What a variable names below a mount is among what is mounted there. */
function lostFiles({ owner, spec }: Pod): string[] {
  return containersOf({ owner, labels: {}, spec }).flatMap(({ name, env = [], volumeMounts = [] }) =>
    env.flatMap(({ name: variable, value = "" }) => {
      if (!value.startsWith("/run/")) return [];
      const mount = volumeMounts.find(({ mountPath }) => value.startsWith(`${mountPath}/`));
      const volume = spec.volumes?.find((each) => each.name === mount?.name);
      const paths = volume?.projected?.sources.flatMap(({ secret }) => secret.items.map(({ path }) => path)) ?? [];
      return mount !== undefined && paths.includes(value.slice(mount.mountPath.length + 1))
        ? []
        : [`${owner}: ${name} is told by ${variable} of ${value}, which is not mounted`];
    }),
  );
}

/** Pods whose label changes are replaced: a version in it would restart everything with every chart. */
function versionedLabels({ owner, labels }: Pod): string[] {
  return ["helm.sh/chart", "app.kubernetes.io/version"].flatMap((label) =>
    labels[label] === undefined || owner.startsWith("Pod ") ? [] : [`${owner}: its pods have the label ${label}`],
  );
}

function matches({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => operator === "In" && values.includes(labels[key] ?? ""))
  );
}

function lostServices(manifests: Manifest[], pods: Pod[]): string[] {
  return manifests
    .filter(({ kind }) => kind === "Service")
    .flatMap(({ metadata, spec }) => {
      const { selector, ports } = spec as { selector: Labels; ports: { targetPort: string }[] };
      const meant = pods.filter(({ labels }) => matches({ matchLabels: selector }, labels));
      if (meant.length === 0) return [`Service ${metadata.name} selects no pod`];
      return ports.flatMap(({ targetPort }) =>
        meant.every((pod) => containersOf(pod).some((c) => c.ports?.some(({ name }) => name === targetPort)))
          ? []
          : [`Service ${metadata.name}: not all of its pods have a port ${targetPort}`],
      );
    });
}

function lostAccounts(manifests: Manifest[], pods: Pod[]): string[] {
  const accounts = new Set(
    manifests.filter(({ kind }) => kind === "ServiceAccount").map(({ metadata }) => metadata.name),
  );
  return pods.flatMap(({ owner, spec }) =>
    spec.serviceAccountName === undefined || accounts.has(spec.serviceAccountName)
      ? []
      : [`${owner}: ServiceAccount ${spec.serviceAccountName} is not there`],
  );
}

/** Everything is denied, every edge has both of its ends, and no policy is for nobody. */
function policyMistakes(manifests: Manifest[], pods: Pod[]): string[] {
  const policies = manifests.filter(({ kind }) => kind === "NetworkPolicy");
  const specs = policies.map(({ metadata, spec }) => ({ name: metadata.name, ...(spec as Policy) }));
  const denial = specs.find(({ ingress, egress, policyTypes }) => !ingress && !egress && policyTypes.length === 2);
  if (denial === undefined) return ["no NetworkPolicy denies everything"];
  const mistakes = pods
    .filter(({ labels }) => !matches(denial.podSelector, labels))
    .map(({ owner }) => `${owner}: nothing is denied it`);
  const named = (selector: Selector) =>
    pods.filter(({ labels }) => matches(selector, labels)).map(({ owner }) => owner);
  for (const { name, podSelector, ingress = [], egress = [] } of specs) {
    if (named(podSelector).length === 0) mistakes.push(`NetworkPolicy ${name} is for no pod`);
    // What a person adds may be for all ports.
    if (!name.endsWith("-all-to-extra") && [...ingress, ...egress].some(({ ports }) => !ports?.length))
      mistakes.push(`NetworkPolicy ${name} is for all ports`);
    const inside = [...ingress.flatMap(({ from = [] }) => from), ...egress.flatMap(({ to = [] }) => to)].flatMap(
      (peer) => (peer.podSelector === undefined || "namespaceSelector" in peer ? [] : [peer.podSelector]),
    );
    for (const peer of inside)
      if (named(peer).length === 0) mistakes.push(`NetworkPolicy ${name} names pods that are not there`);
    if (egress.some(({ to = [] }) => to.some((peer) => peer.podSelector && !("namespaceSelector" in peer)))) {
      if (!specs.some((other) => other.name === `${name}-in`)) mistakes.push(`NetworkPolicy ${name} has no other end`);
    }
  }
  return mistakes;
}
