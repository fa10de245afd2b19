import { expect, test } from "vitest";
import { inconsistencies } from "./consistency.ts";
import type { Manifest } from "./manifests.ts";

const labels = { app: "x" };
const container = {
  name: "x",
  image: "x:1",
  args: [],
  env: [{ name: "LOG_LEVEL", value: "info" }],
  ports: [{ name: "internal", containerPort: 9100 }],
  livenessProbe: { httpGet: { path: "/livez", port: "internal" } },
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  },
  resources: { requests: { memory: "1Mi" }, limits: { memory: "1Mi" } },
};
const pod = {
  serviceAccountName: "x",
  automountServiceAccountToken: false,
  securityContext: { runAsNonRoot: true, runAsUser: 1, seccompProfile: { type: "RuntimeDefault" } },
  containers: [container],
};
const object = (kind: string, name: string, spec?: unknown): Manifest => ({
  apiVersion: "v1",
  kind,
  metadata: { name },
  spec,
});
const deployment = (spec: object = pod) => object("Deployment", "x", { template: { metadata: { labels }, spec } });
const whole = [
  object("ServiceAccount", "x"),
  object("Service", "x", { selector: labels, ports: [{ targetPort: "internal" }] }),
  object("NetworkPolicy", "deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] }),
];
const look = (...manifests: Manifest[]) => inconsistencies([...whole, ...manifests], { policies: true });

test("what fits together is let pass", () => expect(look(deployment())).toEqual([]));

test.each([
  ["a token", { ...pod, automountServiceAccountToken: true }, /token/],
  ["root", { ...pod, securityContext: { ...pod.securityContext, runAsNonRoot: false } }, /root/],
  ["a file system to write to", { ...pod, containers: [{ ...container, securityContext: {} }] }, /writes to its root/],
  ["no bounds", { ...pod, containers: [{ ...container, resources: {} }] }, /bounds/],
  ["a probe of no port", { ...pod, containers: [{ ...container, ports: [] }] }, /a probe asks port internal/],
  ["a variable of nobody", { ...pod, containers: [{ ...container, env: [{ name: "LOG_LEVL" }] }] }, /LOG_LEVL/],
  [
    "a file that is not there",
    { ...pod, containers: [{ ...container, env: [{ name: "REDIS_URL_FILE", value: "/run/x/REDIS_URL" }] }] },
    /told by REDIS_URL_FILE/,
  ],
  ["no such account", { ...pod, serviceAccountName: "y" }, /ServiceAccount y/],
])("a pod with %s is noticed", (_, spec, says) => {
  expect(look(deployment(spec)).join("\n")).toMatch(says);
});

test.each([
  ["the same name twice", object("ServiceAccount", "x"), /twice/],
  ["a Service for nobody", object("Service", "y", { selector: { app: "y" }, ports: [] }), /selects no pod/],
  ["a Service of no port", object("Service", "y", { selector: labels, ports: [{ targetPort: "http" }] }), /port http/],
  [
    "an edge with one end",
    object("NetworkPolicy", "to-x", {
      podSelector: {},
      policyTypes: ["Egress"],
      egress: [{ to: [{ podSelector: { matchLabels: labels } }] }],
    }),
    /no other end/,
  ],
  [
    "a policy for all ports",
    object("NetworkPolicy", "x", { podSelector: {}, policyTypes: ["Ingress"], ingress: [{ ports: null }] }),
    /x is for all ports/,
  ],
  [
    "a pod that each version of the chart replaces",
    object("Deployment", "y", {
      template: { metadata: { labels: { ...labels, "helm.sh/chart": "x-1" } }, spec: pod },
    }),
    /the label helm/,
  ],
  [
    "a policy for nobody",
    object("NetworkPolicy", "y", {
      podSelector: { matchLabels: { app: "y" } },
      policyTypes: ["Ingress"],
      ingress: [{}],
    }),
    /is for no pod/,
  ],
])("%s is noticed", (_, manifest, says) => {
  expect(look(deployment(), manifest).join("\n")).toMatch(says);
});
