import { writeFileSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Container, type Pod, type Probe } from "../chart/manifests.ts";
import { lastLines, type LocalPod, type Runner, type Running, variablesOf } from "../chart/pretend-cluster.ts";
import type { Backend } from "./endpoints.ts";

/** When what happened to a pod, in Unix ms. */
export interface PodLife {
  createdAtMs: number;
  /** Its process began, after what it waits for. */
  beganAtMs?: number;
  readyAtMs?: number;
  /** It was ready for as long as it has to be. */
  availableAtMs?: number;
  /** Somebody wanted it gone. */
  deletedAtMs?: number;
  signalledAtMs?: number;
  endedAtMs?: number;
  /** null: by a signal, as past its grace period. */
  exitCode?: number | null;
}

export interface ReplicaDeps {
  run: Runner;
  /** Names of Services and their addresses. */
  hosts: Record<string, string>;
  /** What an image brings along. */
  imageVariables(image: string): Record<string, string>;
  /** It became ready or is no more, and where its Services lead changes. */
  changed(): Promise<void>;
}

/** Until a cluster's nodes know that a pod goes. */
const LEARNING_MS = 1_000;
/** Oftener than a kubelet does: not one may be red. */
const LIVENESS_LOOK_MS = 2_000;
const LOOK_MS = 100;
const METRICS_MS = 5_000;
const DEFAULTS = { periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 3 };

/** A pod of a Deployment on this machine: begun, probed and ended as its manifest says. */
export class Replica implements Backend {
  readonly name: string;
  readonly component: string;
  readonly pod: Pod;
  readonly address: string;
  readonly logFile: string;
  readonly secretsFolder: string;
  readonly labels: Record<string, string>;
  readonly ports: Record<string, number>;
  readonly life: PodLife = { createdAtMs: Date.now() };
  /** Answers of /livez other than 2xx, and missing ones, until it was told to stop. */
  readonly redLivez: string[] = [];
  livezAsked = 0;
  ready = false;
  withdrawn = false;
  running: Running | undefined;
  readonly #container: Container;
  readonly #deps: ReplicaDeps;

  constructor(place: Pick<LocalPod, "name" | "pod" | "address" | "logFile" | "secretsFolder">, deps: ReplicaDeps) {
    this.name = place.name;
    this.pod = place.pod;
    this.address = place.address;
    this.logFile = place.logFile;
    this.secretsFolder = place.secretsFolder;
    this.labels = place.pod.labels;
    this.component = place.pod.labels["app.kubernetes.io/component"] ?? place.name;
    this.#container = place.pod.spec.containers[0] as Container;
    this.ports = Object.fromEntries(
      (this.#container.ports ?? []).map(({ name, containerPort }) => [name, containerPort]),
    );
    this.#deps = deps;
  }

  get graceMs(): number {
    return (this.pod.spec.terminationGracePeriodSeconds ?? 30) * 1_000;
  }

  get hasEnded(): boolean {
    return this.running?.hasEnded() ?? false;
  }

  /** Runs what it waits for to its end, starts its process and resolves when that is ready. Rejects when one of them fails. */
  async start(): Promise<void> {
    for (const container of this.pod.spec.initContainers ?? []) await this.#toItsEnd(container);
    this.life.beganAtMs = Date.now();
    this.running = this.#begin(this.#container);
    void this.running.exit.then((code) => {
      Object.assign(this.life, { endedAtMs: Date.now(), exitCode: code });
    });
    await this.#startedUp();
    void this.#watchLiveness();
    void this.#watchReadiness();
    while (!this.ready) {
      this.#mustLive();
      await sleep(LOOK_MS);
    }
  }

  /** Runs a Job's pod to its end. */
  async finish(): Promise<void> {
    this.life.beganAtMs = Date.now();
    await this.#toItsEnd(this.#container);
    Object.assign(this.life, { endedAtMs: Date.now(), exitCode: 0 });
  }

  /** Resolves when it was ready for so long without a break. */
  async available(minReadySeconds: number): Promise<void> {
    for (let sinceMs = Date.now(); Date.now() - sinceMs < minReadySeconds * 1_000; await sleep(LOOK_MS)) {
      this.#mustLive();
      if (!this.ready) sinceMs = Date.now();
    }
    this.life.availableAtMs = Date.now();
  }

  /** As a cluster deletes a pod: Services learn of it while preStop runs, then SIGTERM, and SIGKILL when its grace is over. */
  async retire(): Promise<void> {
    const preStopMs = (this.#container.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1_000;
    this.life.deletedAtMs = Date.now();
    const learned = sleep(LEARNING_MS).then(() => this.#withdraw());
    await sleep(preStopMs);
    this.life.signalledAtMs = Date.now();
    this.running?.kill("SIGTERM");
    // The grace period begins with preStop.
    const kill = setTimeout(() => this.running?.kill("SIGKILL"), this.graceMs - preStopMs);
    await this.running?.exit;
    clearTimeout(kill);
    await learned;
  }

  /** Runs another program in its environment to its end. Resolves to what that wrote; rejects unless it ends with 0. */
  async exec(args: string[]): Promise<string> {
    const logFile = `${this.logFile}.exec`;
    writeFileSync(logFile, "", { mode: 0o600 });
    const code = await this.#begin({ ...this.#container, args }, logFile).exit;
    if (code !== 0) throw new Error(`${this.name}: ${args.join(" ")} ended with ${code}\n${lastLines(logFile)}`);
    return readFileSync(logFile, "utf8");
  }

  /** What it tells Prometheus; undefined: it does not answer. */
  async metrics(): Promise<string | undefined> {
    const url = `http://${this.address}:${this.ports["internal"]}/metrics`;
    return fetch(url, { signal: AbortSignal.timeout(METRICS_MS) }).then(
      (answer) => answer.text(),
      () => undefined,
    );
  }

  /** Whatever is under way. */
  async kill(): Promise<void> {
    this.running?.kill("SIGKILL");
    await this.running?.exit;
  }

  #begin({ image, args, env }: Container, logFile = this.logFile): Running {
    const variables = { ...this.#deps.imageVariables(image), ...variablesOf(env, this.#asPod()) };
    return this.#deps.run({ ...this.#asPod(), logFile }, { image, args, env: variables, hosts: this.#deps.hosts });
  }

  #asPod(): LocalPod {
    const { name, pod, address, logFile, secretsFolder } = this;
    return { name, pod, address, logFile, secretsFolder };
  }

  async #toItsEnd(container: Container): Promise<void> {
    this.running = this.#begin(container);
    const code = await this.running.exit;
    if (code !== 0)
      throw new Error(`${this.name}: ${container.args[0]} ended with ${code}\n${lastLines(this.logFile)}`);
  }

  #mustLive(): void {
    if (this.hasEnded) throw new Error(`${this.name} ended:\n${lastLines(this.logFile)}`);
  }

  async #startedUp(): Promise<void> {
    const { periodSeconds, failureThreshold } = { ...DEFAULTS, ...this.#container.startupProbe };
    for (let failures = 0; (await this.#ask(this.#container.startupProbe)) !== 200; failures += 1) {
      this.#mustLive();
      if (failures >= failureThreshold) throw new Error(`${this.name} does not start up:\n${lastLines(this.logFile)}`);
      await sleep(periodSeconds * 1_000);
    }
  }

  async #watchLiveness(): Promise<void> {
    for (;;) {
      const status = await this.#ask(this.#container.livenessProbe);
      if (this.life.signalledAtMs !== undefined || this.hasEnded) return;
      this.livezAsked += 1;
      if (status !== 200) this.redLivez.push(`${this.name}: /livez ${status === 0 ? "did not answer" : status}`);
      await sleep(LIVENESS_LOOK_MS);
    }
  }

  async #watchReadiness(): Promise<void> {
    const { periodSeconds, failureThreshold } = { ...DEFAULTS, ...this.#container.readinessProbe };
    for (let failures = 0; !this.hasEnded && this.life.deletedAtMs === undefined; await sleep(periodSeconds * 1_000)) {
      failures = (await this.#ask(this.#container.readinessProbe)) === 200 ? 0 : failures + 1;
      if (failures === 0) this.life.readyAtMs ??= Date.now();
      const ready = failures === 0 || (this.ready && failures < failureThreshold);
      if (ready === this.ready) continue;
      this.ready = ready;
      await this.#deps.changed();
    }
  }

  async #withdraw(): Promise<void> {
    this.withdrawn = true;
    await this.#deps.changed();
  }

  /** @returns the status; 0: no answer in time */
  async #ask(probe: Probe | undefined): Promise<number> {
    const { path, port } = probe?.httpGet ?? { path: "", port: "" };
    const { timeoutSeconds } = { ...DEFAULTS, ...probe };
    const url = `http://${this.address}:${this.ports[port]}${path}`;
    return fetch(url, { signal: AbortSignal.timeout(timeoutSeconds * 1_000) }).then(
      async ({ status, body }) => {
        await body?.cancel();
        return status;
      },
      () => 0,
    );
  }
}
