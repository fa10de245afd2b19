import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { PretendCluster } from "../chart/pretend-cluster.ts";
import { FOLDERS } from "../folders.ts";

/**
 * Plays the demo (the installer's quickstart, with two charge points) against what runs out of images.
 *
 * @param bootstrapped what `cli bootstrap` wrote
 * @returns what the demo wrote
 * @throws with its last lines when it fails
 */
export async function playDemo(cluster: PretendCluster, bootstrapped: string, mailUrl: string): Promise<string> {
  const line = bootstrapped.split("\n").findLast((text) => text.startsWith("{")) ?? "{}";
  const { org_id, api_key } = JSON.parse(line) as { org_id: string; api_key: string };
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-demo-"));
  try {
    const credentials = {
      org_id,
      api_key,
      api_url: "http://dynamo-csms-api:3000",
      ocpp_urls: ["ws://dynamo-csms-gateway:9000"],
      mail_url: mailUrl,
      postgres_url: "",
      redis_url: "",
    };
    writeFileSync(join(folder, "credentials.json"), JSON.stringify(credentials), { mode: 0o600 });
    // Whose signature the demo expects on the certificate.
    const api = cluster.pods.find(({ pod }) => pod.labels["app.kubernetes.io/component"] === "api");
    mkdirSync(join(folder, "secrets"));
    cpSync(join(api?.secretsFolder ?? "", "PDF_SIGNING_CERT"), join(folder, "secrets", "pdf-signing-cert.pem"));
    const names = new URLSearchParams({ hosts: JSON.stringify(cluster.hosts) });
    const preload = `${pathToFileURL(join(FOLDERS.root, "local/chart/resolve-names.ts")).href}?${names.toString()}`;
    const child = spawn(process.execPath, ["--conditions=source", "--import", preload, "local/demo.ts"], {
      cwd: FOLDERS.root,
      env: { ...process.env, LOCAL_FOLDER: folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    if (code !== 0) throw new Error(`the demo ended with ${code}:\n${said.split("\n").slice(-25).join("\n")}`);
    return said;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
