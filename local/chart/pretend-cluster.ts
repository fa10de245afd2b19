import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Container, type Manifest, NAMESPACE, type Pod, podsOf } from "./manifests.ts";

const ANY_ADDRESS = "0.0.0.0";

/** A pod that runs on this machine: an address of its own, its files, and its process once it was started. */
export interface LocalPod {
  name: string;
  pod: Pod;
  address: string;
  logFile: string;
  /** With a file for each variable that comes from a Secret. */
  secretsFolder: string;
  /** When its process began, after what it waits for; monotonic ms. */
  beganAtMs?: number;
  running?: Running;
}

export interface Running {
  /** undefined: it runs elsewhere, or could not be started. */
  pid?: number | undefined;
  /** null: by a signal. */
  exit: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  hasEnded(): boolean;
}

/** What a container is started with, as the chart has it. */
export interface Start {
  image: string;
  args: string[];
  /** With the pod's own address in place of `0.0.0.0`. */
  env: Record<string, string>;
  /** Names of Services and the addresses of their pods. */
  hosts: Record<string, string>;
}

/** Runs containers: as processes of the checkout, or out of images. Its output goes to the end of the pod's log. */
export type Runner = (pod: LocalPod, start: Start) => Running;

/** The values of a Secret by key, in clear. */
export type Secrets = Record<string, Record<string, string>>;

export interface PretendCluster {
  pods: LocalPod[];
  /** Names of Services and the addresses of their pods. */
  hosts: Record<string, string>;
  /** Runs a pod's init containers, each to its end, and then starts its process. Rejects when one of the former fails. */
  start(pod: LocalPod): Promise<void>;
  /** Runs another program in a pod's environment to its end. Resolves to what it wrote; rejects unless it ends with 0. */
  exec(pod: LocalPod, args: string[]): Promise<string>;
  /** Ends everything and forgets it. */
  remove(): Promise<void>;
}

/**
 * Runs pods on this machine with exactly what the chart gives their containers: arguments, variables and the files of their
 * Secrets. All of them share this machine's network, each with a loopback address of its own, which is what `0.0.0.0` becomes.
 *
 * @param secrets those that the chart does not make
 * @throws when a pod wants a key of a Secret that nobody makes
 */
export function pretendCluster(manifests: Manifest[], secrets: Secrets, run: Runner): PretendCluster {
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-chart-"));
  chmodSync(folder, 0o755); // for the user that containers run as
  const known: Secrets = { ...madeSecrets(manifests), ...secrets };
  const pods = podsOf(manifests).map((pod, index): LocalPod => {
    const name = pod.owner.split(" ")[1] as string;
    const secretsFolder = join(folder, name);
    writeSecrets(pod, known, secretsFolder);
    const address = `127.1.${process.pid % 250}.${index + 1}`;
    return { name, pod, address, secretsFolder, logFile: join(folder, `${name}.log`) };
  });
  const hosts = serviceAddresses(manifests, pods);

  const begin = (pod: LocalPod, { image, args, env }: Pick<Container, "image" | "args" | "env">) =>
    run(pod, { image, args, env: variablesOf(env, pod), hosts });
  const toItsEnd = async (pod: LocalPod, container: Pick<Container, "image" | "args" | "env">): Promise<void> => {
    pod.running = begin(pod, container);
    const code = await pod.running.exit;
    if (code !== 0) throw new Error(`${pod.name}: ${container.args[0]} ended with ${code}\n${lastLines(pod.logFile)}`);
  };

  return {
    pods,
    hosts,
    async start(pod) {
      for (const container of pod.pod.spec.initContainers ?? []) await toItsEnd(pod, container);
      const [container] = pod.pod.spec.containers as [Container];
      pod.beganAtMs = performance.now();
      pod.running = begin(pod, container);
    },
    async exec(pod, args) {
      const [{ image, env = [] }] = pod.pod.spec.containers as [Container];
      const inside: LocalPod = { ...pod, name: `${pod.name}-exec`, logFile: `${pod.logFile}.exec` };
      writeFileSync(inside.logFile, "");
      await toItsEnd(inside, { image, args, env });
      return readFileSync(inside.logFile, "utf8");
    },
    async remove() {
      const left = pods.flatMap(({ running }) => (running === undefined || running.hasEnded() ? [] : [running]));
      for (const running of left) running.kill("SIGKILL");
      await Promise.all(left.map(({ exit }) => exit));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a container's process is started with: the pod's name where a field of the pod is meant, its own address for all. */
export function variablesOf(env: Container["env"] = [], { name: podName, address }: LocalPod): Record<string, string> {
  return Object.fromEntries(env.map(({ name, value = podName }) => [name, value === ANY_ADDRESS ? address : value]));
}

/** The end of what a pod's processes wrote. */
export const lastLines = (file: string): string =>
  readFileSync(file, "utf8").trimEnd().split("\n").slice(-12).join("\n");

/** The Secrets that the chart itself makes. */
export function madeSecrets(manifests: Manifest[]): Secrets {
  return Object.fromEntries(
    manifests
      .filter(({ kind }) => kind === "Secret")
      .map(({ metadata, data = {} }) => [
        metadata.name,
        Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, "base64").toString()])),
      ]),
  );
}

/**
 * Writes the keys of Secrets that a pod mounts, as files.
 *
 * @throws when it wants one that is not known
 */
export function writeSecrets({ owner, spec }: Pod, known: Secrets, folder: string): void {
  mkdirSync(folder);
  for (const { projected } of spec.volumes ?? [])
    for (const { secret } of projected?.sources ?? [])
      for (const { key, path } of secret.items) {
        const text = known[secret.name]?.[key];
        if (text === undefined)
          throw new Error(`${owner} wants ${key} of the Secret ${secret.name}, which nobody makes`);
        writeFileSync(join(folder, path), text, { mode: 0o644 });
      }
}

/** Each Service leads to the first of its pods. */
function serviceAddresses(manifests: Manifest[], pods: LocalPod[]): Record<string, string> {
  return Object.fromEntries(
    manifests
      .filter(({ kind }) => kind === "Service")
      .flatMap(({ metadata, spec }) => {
        const { selector } = spec as { selector: Record<string, string> };
        const meant = pods.find(({ pod }) =>
          Object.entries(selector).every(([key, value]) => pod.labels[key] === value),
        );
        if (meant === undefined) return [];
        const { name } = metadata;
        return [name, `${name}.${NAMESPACE}.svc`].map((host) => [host, meant.address]);
      }),
  );
}
