import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Manifest, NAMESPACE, RELEASE } from "./manifests.ts";
import type { Secrets } from "./pretend-cluster.ts";

/**
 * As much of a cluster's API as Helm asks while it renders with `--dry-run=server`: which kinds there are, Secrets and Deployments.
 *
 * @param manifests whose kinds it knows
 * @param secrets what it has of them
 * @param replicas of Deployments that are there
 * @returns its address, and how to end it
 */
export async function pretendApi(
  manifests: Manifest[],
  secrets: Secrets,
  replicas: Record<string, number> = {},
): Promise<{ url: string; close(): void }> {
  const list = (kind: string, more: object) => ({ kind, apiVersion: "v1", ...more });
  const answers: Record<string, object> = { "/version": { major: "1", minor: "34", gitVersion: "v1.34.0" } };
  const kinds = Map.groupBy(manifests, ({ apiVersion }) => apiVersion);
  for (const [groupVersion, objects] of kinds) {
    const resources = [...new Set(objects.map(({ kind }) => kind))].map((kind) => ({
      name: kind.toLowerCase().replace(/y$/, "ie").concat("s"),
      singularName: kind.toLowerCase(),
      namespaced: true,
      kind,
      verbs: ["get"],
    }));
    answers[`${groupVersion === "v1" ? "/api" : "/apis"}/${groupVersion}`] = list("APIResourceList", {
      groupVersion,
      resources,
    });
  }
  answers["/api"] = list("APIVersions", { versions: ["v1"] });
  const groups = [...kinds.keys()].filter((groupVersion) => groupVersion.includes("/"));
  answers["/apis"] = list("APIGroupList", {
    groups: groups.map((groupVersion) => {
      const [name, version] = groupVersion.split("/");
      return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } };
    }),
  });
  for (const [name, values] of Object.entries(secrets)) {
    const data = Object.entries(values).map(([key, text]) => [key, Buffer.from(text).toString("base64")]);
    answers[`/api/v1/namespaces/${NAMESPACE}/secrets/${name}`] = list("Secret", {
      metadata: ownedBy(name),
      data: Object.fromEntries(data),
    });
  }
  for (const [name, count] of Object.entries(replicas)) {
    const deployment = { apiVersion: "apps/v1", metadata: ownedBy(name), spec: { replicas: count } };
    answers[`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${name}`] = list("Deployment", deployment);
  }
  const server = createServer((request, response) => {
    const answer = answers[(request.url ?? "").split("?")[0] as string];
    const missing = list("Status", { status: "Failure", reason: "NotFound", code: 404 });
    response
      .writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" })
      .end(JSON.stringify(answer ?? missing));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

/** Helm takes no object for its own that another made. */
const ownedBy = (name: string) => ({
  name,
  namespace: NAMESPACE,
  labels: { "app.kubernetes.io/managed-by": "Helm" },
  annotations: { "meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": NAMESPACE },
});
