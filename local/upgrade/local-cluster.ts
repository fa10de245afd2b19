import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Manifest, NAMESPACE, type Pod, podsOf } from "../chart/manifests.ts";
import { madeSecrets, type Runner, type Secrets, writeSecrets } from "../chart/pretend-cluster.ts";
import { listenersOf, type LocalService } from "./endpoints.ts";
import { Replica } from "./replica.ts";
import { type Balancer, startBalancer } from "./start-balancer.ts";

interface DeploymentSpec {
  replicas?: number;
  minReadySeconds?: number;
  strategy: { rollingUpdate: { maxSurge: number; maxUnavailable: number } };
}

interface Deployment {
  name: string;
  spec: DeploymentSpec;
  pod: Pod;
}

/** One pod that took the place of another; of the migration, one that came and went. */
export interface Replacement {
  component: string;
  pod: Replica;
  minReadySeconds: number;
  /** What it replaced, if anything. */
  former: Replica | undefined;
}

interface ClusterSettings {
  /** Of its own: logs and Secrets. */
  folder: string;
  /** Those that the chart does not make. */
  secrets: Secrets;
  run: Runner;
  imageVariables(image: string): Record<string, string>;
}

/**
 * As much of a cluster as an upgrade is about, on this machine: Deployments with their rolling update, Jobs, pods with init
 * containers, probes, preStop and grace period, and Services that lead to pods that are ready. Each pod and each Service has a
 * loopback address of its own.
 */
export class LocalCluster {
  readonly #settings: ClusterSettings;
  readonly #balancer: Balancer;
  readonly #replicas: Replica[] = [];
  readonly #services = new Map<string, LocalService>();
  readonly #hosts: Record<string, string> = {};
  readonly #jobs = new Set<string>();
  #deployed: Deployment[] = [];

  private constructor(settings: ClusterSettings, balancer: Balancer) {
    this.#settings = settings;
    this.#balancer = balancer;
  }

  static async open(settings: ClusterSettings): Promise<LocalCluster> {
    mkdirSync(settings.folder, { recursive: true });
    return new LocalCluster(settings, await startBalancer());
  }

  /** Every pod that there was, in the order of their making. */
  get replicas(): readonly Replica[] {
    return this.#replicas;
  }

  /** Those of a component that are there, and stay. */
  of(component: string): Replica[] {
    return this.#replicas.filter(
      (pod) => pod.component === component && pod.life.deletedAtMs === undefined && !pod.hasEnded,
    );
  }

  /** Where a Service is, as `host:port`. Throws when there is none. */
  service(suffix: string): string {
    const found = [...this.#services.values()].find(({ name }) => name.endsWith(suffix));
    if (found === undefined) throw new Error(`no Service …${suffix}`);
    return `${found.address}:${found.ports[0]?.port}`;
  }

  /**
   * Makes the manifests true, as a release is installed or upgraded: Services at once, then the Jobs that are new, then all
   * Deployments at the same time, each by its own rolling update; what waits for what is in the pods.
   *
   * @param tell of each pod that took its place
   */
  async apply(manifests: Manifest[], tell: (replacement: Replacement) => void): Promise<void> {
    const secrets = { ...madeSecrets(manifests), ...this.#settings.secrets };
    await this.#takeServices(manifests);
    for (const { name, pod } of jobsOf(manifests)) {
      if (this.#jobs.has(name)) continue;
      this.#jobs.add(name);
      const replica = this.#create(name, pod, secrets);
      await replica.finish();
      tell({ component: replica.component, pod: replica, minReadySeconds: 0, former: undefined });
    }
    const before = this.#deployed;
    this.#deployed = deploymentsOf(manifests);
    await Promise.all(
      this.#deployed.map(async (deployment) => {
        const former = before.find(({ name }) => name === deployment.name);
        if (former === undefined) await this.#install(deployment, secrets, tell);
        else if (!isDeepStrictEqual(former.pod, deployment.pod)) await this.#rollOut(deployment, secrets, tell);
      }),
    );
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica.kill()));
    await this.#balancer.close();
  }

  async #install(deployment: Deployment, secrets: Secrets, tell: (replacement: Replacement) => void): Promise<void> {
    await Promise.all(
      Array.from({ length: deployment.spec.replicas ?? 1 }, async () => {
        const pod = this.#create(deployment.name, deployment.pod, secrets);
        await pod.start();
        tell({ component: pod.component, pod, minReadySeconds: 0, former: undefined });
      }),
    );
  }

  /** One more, one less, until all are new; who goes is not waited for, except at the end. */
  async #rollOut(
    { name, spec, pod: template }: Deployment,
    secrets: Secrets,
    tell: (replacement: Replacement) => void,
  ): Promise<void> {
    const { maxSurge, maxUnavailable } = spec.strategy.rollingUpdate;
    if (maxSurge !== 1 || maxUnavailable !== 0)
      throw new Error(`${name}: maxSurge ${maxSurge}, maxUnavailable ${maxUnavailable}: only 1 and 0 are played here`);
    const olds = this.#replicas.filter(
      ({ pod, life }) => pod.owner === template.owner && life.deletedAtMs === undefined,
    );
    const leaving: Promise<void>[] = [];
    for (const former of olds) {
      const pod = this.#create(name, template, secrets);
      await pod.start();
      await pod.available(spec.minReadySeconds ?? 0);
      leaving.push(
        former.retire().then(() => {
          tell({ component: pod.component, pod, minReadySeconds: spec.minReadySeconds ?? 0, former });
        }),
      );
    }
    await Promise.all(leaving);
  }

  #create(owner: string, pod: Pod, secrets: Secrets): Replica {
    const number = this.#replicas.length + 1;
    const name = `${owner}-${number}`;
    const secretsFolder = join(this.#settings.folder, `${name}.secrets`);
    writeSecrets(pod, secrets, secretsFolder);
    const place = { name, pod, address: addressOf(2, number), secretsFolder };
    const replica = new Replica(
      { ...place, logFile: join(this.#settings.folder, `${name}.log`) },
      {
        run: this.#settings.run,
        hosts: this.#hosts,
        imageVariables: this.#settings.imageVariables,
        changed: () => this.#followPods(),
      },
    );
    this.#replicas.push(replica);
    void this.#followPods(); // Services of pods that are not ready have it from now on
    return replica;
  }

  async #takeServices(manifests: Manifest[]): Promise<void> {
    for (const { metadata, spec, kind } of manifests) {
      if (kind !== "Service") continue;
      const { selector, ports, publishNotReadyAddresses } = spec as {
        selector: Record<string, string>;
        ports: LocalService["ports"];
        publishNotReadyAddresses?: boolean;
      };
      const { name } = metadata;
      const address = this.#services.get(name)?.address ?? addressOf(3, this.#services.size + 1);
      this.#services.set(name, { name, address, selector, ports, unready: publishNotReadyAddresses === true });
      this.#hosts[name] = this.#hosts[`${name}.${NAMESPACE}.svc`] = address;
    }
    await this.#followPods();
  }

  #followPods(): Promise<void> {
    return this.#balancer.follow(listenersOf([...this.#services.values()], this.#replicas));
  }
}

/** Loopback addresses that nobody else has, as long as no other run's process number ends alike. */
const addressOf = (net: number, number: number): string => `127.${net}.${process.pid % 250}.${number}`;

const podOf = (manifest: Manifest): Pod => podsOf([manifest])[0] as Pod;

const jobsOf = (manifests: Manifest[]): { name: string; pod: Pod }[] =>
  manifests
    .filter(({ kind }) => kind === "Job")
    .map((manifest) => ({ name: manifest.metadata.name, pod: podOf(manifest) }));

const deploymentsOf = (manifests: Manifest[]): Deployment[] =>
  manifests
    .filter(({ kind }) => kind === "Deployment")
    .map((manifest) => ({
      name: manifest.metadata.name,
      spec: manifest.spec as DeploymentSpec,
      pod: podOf(manifest),
    }));
