import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCluster } from "./cluster.ts";
import { openEvidence } from "./ledger-check.ts";
import { fillPath, readOperations, type Operation } from "./openapi-operations.ts";
import { complaintsAbout, send, type Answer } from "./rest-sweep.ts";
import {
  recordCertificate,
  recordDeadLetter,
  recordSession,
  SECRET,
  secondOrganization,
  workingTenant,
  type Tenant,
} from "./two-organizations.ts";

const BUCKETS = ["LOGIN", "SIGNUP", "MAIL", "READ", "WRITE", "COMMAND", "LOGIN_ACCOUNT", "MAIL_ACCOUNT"];

/** What public addresses with a parameter that is no id are asked for. */
const PUBLIC_NAMES = { name: "nothing", code: "nothing" };

export type SweepWorld = Awaited<ReturnType<typeof startSweepWorld>>;

/** The whole product with the tenants of a sweep: who is attacked, who attacks, and every operation there is. */
export async function startSweepWorld() {
  const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-keys-"));
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const signingKey = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const keyFile = join(folder, "jwt.pem");
  writeFileSync(keyFile, signingKey);
  const limits = Object.fromEntries(BUCKETS.map((bucket) => [`RATE_LIMIT_${bucket}`, "1000000/60"]));
  const cluster = await startCluster({ ...limits, JWT_SIGNING_KEY_FILE: keyFile });
  const evidence = openEvidence(cluster);
  const close = async () => {
    await evidence.close();
    await cluster.close();
    rmSync(folder, { recursive: true });
  };
  try {
    const { operations, codes } = await readOperations(cluster);
    const promised = { apiUrl: cluster.apiUrl, codes: new Set(codes) };
    const owner = await workingTenant(cluster, "owner@installers.example", SECRET);
    owner.ids["session_id"] = await recordSession(evidence, owner);
    owner.ids["certificate_id"] = await recordCertificate(evidence, owner);
    owner.ids["dead_letter_id"] = await recordDeadLetter(evidence, owner);
    /** Another installer of the owner's organisation, on another project. */
    const colleague = await workingTenant(cluster, "colleague@installers.example", "Colleague");
    const strangers = { ...cluster, apiKey: await secondOrganization(cluster, evidence) };
    const stranger = await workingTenant(strangers, "stranger@installers.example", "Stranger");
    return {
      cluster,
      evidence,
      operations,
      signingKey,
      owner,
      colleague,
      stranger,
      ask: (operation: Operation, path: string, headers: Record<string, string>, body?: string | Buffer) =>
        send(operation.method, cluster.apiUrl + path, headers, body),
      complaints: (answer: Answer, operation: Operation) => complaintsAbout(answer, operation, promised),
      /** The operation's path with the ids of the owner, or with others in their place. */
      pathOf: (operation: Operation, others: Record<string, string> = {}) =>
        fillPath(operation, { ...PUBLIC_NAMES, ...owner.ids, ...others }),
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/** The headers with which a tenant comes to an operation. */
export function credentials({ access }: Operation, as: Tenant): Record<string, string> {
  if (access === "public") return {};
  return { authorization: `Bearer ${access === "installer" ? as.token : as.apiKey}` };
}

export const expecting = (what: string, found: string[]) => found.map((complaint) => `${what}: ${complaint}`);
