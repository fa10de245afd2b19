import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { CHART } from "./chart-folder.ts";

export const RELEASE = "dynamo-csms";
export const NAMESPACE = "charging";

/** An object of Kubernetes, as far as every kind has it. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: unknown;
  data?: Record<string, string>;
}

export interface Rendered {
  text: string;
  manifests: Manifest[];
}

/** What it is rendered for. */
export interface Release {
  /** The API that is asked for what is there already; without it nothing is. */
  cluster?: string;
  /** Not the first installation. */
  upgrade?: boolean;
}

/**
 * What the chart makes of values.
 *
 * @param files of values, and settings of single ones as JSON (`a.b=true`), later ones before earlier ones
 * @throws with Helm's words when the chart refuses them
 */
export async function render(
  helm: string,
  files: string[],
  settings: string[] = [],
  { cluster, upgrade = false }: Release = {},
): Promise<Rendered> {
  const asks = ["--dry-run=server", "--disable-openapi-validation", "--kube-apiserver", cluster ?? ""];
  const args = [...files.flatMap((file) => ["--values", file]), ...settings.flatMap((text) => ["--set-json", text])];
  const { stdout } = await promisify(execFile)(
    helm,
    [
      "template",
      RELEASE,
      CHART,
      "--namespace",
      NAMESPACE,
      "--kube-version",
      "1.34.0",
      ...args,
      ...(cluster === undefined ? [] : asks),
      ...(upgrade ? ["--is-upgrade"] : []),
    ],
    { maxBuffer: 64 << 20, env: { ...process.env, KUBECONFIG: "/dev/null" } },
  ).catch((cause: Error & { stderr?: string }) => {
    throw new Error(cause.stderr ?? cause.message, { cause });
  });
  return { text: stdout, manifests: parseManifests(stdout) };
}

function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [mistake] = document.errors ?? [];
    if (mistake !== undefined) throw mistake;
    const manifest = document.toJS() as Manifest | null; // every kind is checked against its schema
    return manifest === null ? [] : [manifest];
  });
}

/** The one with this kind whose name ends like this. Throws when there is none. */
export function find(manifests: Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name.endsWith(name));
  if (found === undefined) throw new Error(`no ${kind} …${name} among what was rendered`);
  return found;
}

/** What is not said is the cluster's default: every 10 s, 1 s to answer, three failures. */
export interface Probe {
  httpGet?: { path: string; port: string };
  periodSeconds?: number;
  timeoutSeconds?: number;
  failureThreshold?: number;
}

export interface Container {
  name: string;
  image: string;
  args: string[];
  env?: { name: string; value?: string }[];
  volumeMounts?: { name: string; mountPath: string }[];
  ports?: { name: string; containerPort: number }[];
  startupProbe?: Probe & Required<Pick<Probe, "httpGet">>;
  livenessProbe?: Probe & Required<Pick<Probe, "httpGet">>;
  readinessProbe?: Probe;
  lifecycle?: { preStop?: { sleep?: { seconds: number } } };
  securityContext?: {
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem?: boolean;
    capabilities?: { drop?: string[] };
  };
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
}

export interface PodSpec {
  automountServiceAccountToken?: boolean;
  serviceAccountName?: string;
  terminationGracePeriodSeconds?: number;
  securityContext?: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: { type: string } };
  initContainers?: Container[];
  containers: Container[];
  volumes?: {
    name: string;
    projected?: { sources: { secret: { name: string; items: { key: string; path: string }[] } }[] };
  }[];
}

export interface Pod {
  /** Kind and name of what makes it. */
  owner: string;
  labels: Record<string, string>;
  spec: PodSpec;
}

/** Every pod that the manifests make. */
export function podsOf(manifests: Manifest[]): Pod[] {
  return manifests.flatMap((manifest) => {
    const owner = `${manifest.kind} ${manifest.metadata.name}`;
    if (manifest.kind === "Pod")
      return [{ owner, labels: manifest.metadata.labels ?? {}, spec: manifest.spec as PodSpec }];
    if (!["Deployment", "StatefulSet", "Job"].includes(manifest.kind)) return [];
    const { template } = manifest.spec as {
      template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    };
    return [{ owner, labels: template.metadata.labels, spec: template.spec }];
  });
}
