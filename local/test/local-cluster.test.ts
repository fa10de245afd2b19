import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Manifest } from "../chart/manifests.ts";
import type { Runner } from "../chart/pretend-cluster.ts";
import { temporaryFolder } from "../test-servers.ts";
import { LocalCluster, type Replacement } from "../upgrade/local-cluster.ts";

/** Listens where its pod is; ends on SIGTERM when it is polite. */
const PROGRAM = `
const { createServer } = require("node:http");
createServer((_request, response) => response.end("ok")).listen(9100, process.env.POD_IP);
process.on("SIGTERM", () => process.env.POLITE === "yes" && process.exit(0));
`;
const run: Runner = (_pod, { args, env }) => {
  const child = spawn(process.execPath, ["-e", args[0] === "job" ? "" : PROGRAM], { env, stdio: "ignore" });
  return {
    pid: child.pid,
    exit: new Promise((resolve) => child.once("exit", resolve)),
    kill: (signal) => void child.kill(signal),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
  };
};

function manifests(release: string, polite: "yes" | "no"): Manifest[] {
  const labels = { "app.kubernetes.io/component": "api" };
  const probe = { httpGet: { path: "/livez", port: "internal" }, periodSeconds: 0.1, failureThreshold: 50 };
  const container = {
    name: "api",
    image: `api:${release}`,
    args: ["main"],
    env: [
      { name: "POD_IP", value: "0.0.0.0" },
      { name: "POLITE", value: polite },
    ],
    ports: [{ name: "internal", containerPort: 9100 }],
    startupProbe: probe,
    livenessProbe: probe,
    readinessProbe: probe,
  };
  return [
    {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: `migrate-${release}` },
      spec: {
        template: { metadata: { labels: {} }, spec: { containers: [{ name: "m", image: "m", args: ["job"] }] } },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "api" },
      spec: { selector: labels, ports: [{ port: 9100, targetPort: "internal" }] },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "api" },
      spec: {
        replicas: 2,
        minReadySeconds: 0.3,
        strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } },
      },
    },
  ];
}

let cluster: LocalCluster | undefined;
let folder: string;
afterEach(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
});
const open = async () => {
  folder = temporaryFolder("local-cluster");
  cluster = await LocalCluster.open({ folder: join(folder, "pods"), secrets: {}, run, imageVariables: () => ({}) });
  return cluster;
};

test("a pod goes when another has been ready for long enough, and never two at a time", async () => {
  const running = await open();
  await running.apply(manifests("1", "yes"), () => {});
  const former = running.of("api");
  expect(former).toHaveLength(2);

  const replaced: Replacement[] = [];
  await running.apply(manifests("2", "yes"), (replacement) => replaced.push(replacement));
  const [job, ...steps] = replaced.toSorted((a, b) => (a.pod.life.beganAtMs ?? 0) - (b.pod.life.beganAtMs ?? 0));
  expect(job?.pod.name).toContain("migrate-2");
  expect(steps.map((step) => step.former)).toEqual(former);
  for (const { pod, former: gone } of steps) {
    expect((gone?.life.deletedAtMs ?? 0) - (pod.life.readyAtMs ?? 0)).toBeGreaterThanOrEqual(299);
    expect(gone?.life.exitCode).toBe(0);
  }
  expect(steps[1]?.pod.life.createdAtMs).toBeGreaterThanOrEqual(former[0]?.life.deletedAtMs ?? Infinity);
  expect(running.of("api")).toEqual(steps.map(({ pod }) => pod));
  expect((await fetch(`http://${running.service("api")}`)).status).toBe(200);
});

test("what does not change stays, and what does not end within its grace period is killed", async () => {
  const running = await open();
  await running.apply(manifests("1", "no"), () => {});
  const former = running.of("api");
  const replaced: Replacement[] = [];
  await running.apply(manifests("1", "no"), (replacement) => replaced.push(replacement));
  expect(replaced).toEqual([]);
  expect(running.of("api")).toEqual(former);

  await running.apply(manifests("2", "yes"), (replacement) => replaced.push(replacement));
  expect(former.map(({ life }) => life.exitCode)).toEqual([null, null]);
});
