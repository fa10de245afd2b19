import { badTokens } from "./bad-tokens.ts";
import { assignInstaller, readyInstaller } from "./installer-journey.ts";
import type { Operation } from "./openapi-operations.ts";
import { rest } from "./rest-client.ts";
import type { SweepWorld } from "./sweep-world.ts";
import type { Tenant } from "./two-organizations.ts";

/** Somebody who has no business with the victim's things, by what keeps him out. */
export interface Stranger {
  name: string;
  /**
   * - nobody: no credentials, or such as are over
   * - wrong-kind: good ones of the victim's own house, of the other kind of caller
   * - no-scope: a key of the victim's own organisation that may do everything but this
   * - outsider: good ones of somebody else
   */
  kind: "nobody" | "wrong-kind" | "no-scope" | "outsider";
  /** His headers for an operation; undefined where this stranger has no sense. */
  headers(operation: Operation): Record<string, string> | undefined;
  /** What he has himself. */
  ids: Record<string, string>;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const PASSWORD = "your-secure-password";

/** Every kind of stranger to the first tenant of the world, with real credentials. */
export async function everyStranger(world: SweepWorld): Promise<Stranger[]> {
  const { cluster, owner, colleague, stranger, operations, evidence, signingKey } = world;
  const ask = async (method: "GET" | "POST" | "DELETE", path: string, token: string | undefined, body?: unknown) => {
    const answer = await rest(method, cluster.apiUrl + path, token, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as Record<string, string>;
  };
  const logIn = async (email: string) =>
    (await ask("POST", "/api/v1/installer/login", undefined, { email, password: PASSWORD }))["access_token"] as string;
  const scopes = [...new Set(operations.flatMap(({ scope }) => scope ?? []))];
  const newKey = (name: string, which: string[], more: object = {}) =>
    ask("POST", "/api/v1/org/api-keys", owner.apiKey, { name, scopes: which, ...more });

  const revoked = await newKey("revoked", scopes);
  await ask("DELETE", `/api/v1/org/api-keys/${revoked["id"]}`, owner.apiKey);
  const expired = await newKey("expired", scopes, { expires_at: new Date(Date.now() + 3_600_000).toISOString() });
  await evidence.sql("update api_keys set expires_at = now() - interval '1 minute' where id = $1", [expired["id"]]);
  const lacking = new Map<string, string>();
  for (const scope of scopes)
    lacking.set(
      scope,
      (
        await newKey(
          `lacks ${scope}`,
          scopes.filter((other) => other !== scope),
        )
      )["key"] as string,
    );

  /** Was assigned to the victim's project, and has done with it. */
  const former = async (email: string) => {
    const { token } = await readyInstaller(cluster, email);
    const { installer_id: id } = await ask("GET", "/api/v1/installer/me", token);
    await assignInstaller(cluster, owner.ids["project_id"] as string, String(id));
    return { token, id: String(id) };
  };
  const removed = await former("removed@installers.example");
  await ask("DELETE", `/api/v1/projects/${owner.ids["project_id"]}/installers/${removed.id}`, owner.apiKey);
  const closed = await former("closed@installers.example");
  await ask("POST", "/api/v1/installer/me/close", closed.token, { password: PASSWORD });
  const loggedOut = await logIn("owner@installers.example");
  await ask("POST", "/api/v1/installer/logout", loggedOut);
  const overdue = badTokens(owner.token, signingKey).bad.find(({ what }) => what === "expired")?.authorization;

  const guarded = (headers: Record<string, string>) => (operation: Operation) =>
    operation.access === "public" ? undefined : headers;
  const installers = (token: string) => (operation: Operation) =>
    operation.access === "organization" ? undefined : bearer(token);
  const outsider = (name: string, tenant: Tenant): Stranger[] => [
    { name: `${name}'s installer`, kind: "outsider", headers: installers(tenant.token), ids: tenant.ids },
  ];
  return [
    { name: "nobody in particular", kind: "nobody", headers: () => ({}), ids: {} },
    { name: "an expired token", kind: "nobody", headers: guarded({ authorization: overdue ?? "" }), ids: {} },
    { name: "a token after its log-out", kind: "nobody", headers: guarded(bearer(loggedOut)), ids: {} },
    { name: "the token of a closed account", kind: "nobody", headers: guarded(bearer(closed.token)), ids: {} },
    { name: "a revoked key", kind: "nobody", headers: guarded(bearer(revoked["key"] as string)), ids: {} },
    { name: "an expired key", kind: "nobody", headers: guarded({ "x-api-key": expired["key"] as string }), ids: {} },
    {
      name: "the other kind of caller",
      kind: "wrong-kind",
      headers: (operation) =>
        operation.access === "public"
          ? undefined
          : bearer(operation.access === "installer" ? owner.apiKey : owner.token),
      ids: owner.ids,
    },
    {
      name: "a key without the scope",
      kind: "no-scope",
      headers: ({ scope }) => (scope === undefined ? undefined : bearer(lacking.get(scope) as string)),
      ids: owner.ids,
    },
    {
      name: "another organisation",
      kind: "outsider",
      headers: (operation) => (operation.access === "installer" ? undefined : bearer(stranger.apiKey)),
      ids: stranger.ids,
    },
    ...outsider("another organisation", stranger),
    ...outsider("another project", colleague),
    { name: "an installer who was taken off", kind: "outsider", headers: installers(removed.token), ids: {} },
  ];
}
