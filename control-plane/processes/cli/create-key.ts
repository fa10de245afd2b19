import type { Environment } from "@dynamo-csms/proto/process/environment";
import { ConfigReader } from "../../config-reader.ts";
import { openOrm, sqlOf } from "../../database.ts";
import { SCOPES, type Scope } from "../../http/route.ts";
import { createApiKey } from "../../organizations/create-api-key.ts";
import { ApiKeyEntity } from "../../organizations/organization.entity.ts";
import { CliMistake, required } from "./cli-mistake.ts";
import { findOrganization } from "./organization.ts";

interface Flags {
  name?: string | undefined;
  org?: string | undefined;
  scopes?: string | undefined;
  "expires-at"?: string | undefined;
}

/** Makes an API key: for further organisations, and when the first key was lost. */
export async function createKey(flags: Flags, env: Environment, readFile: (path: string) => string): Promise<void> {
  const name = required(flags.name, "name");
  const scopes = readScopes(flags.scopes);
  const expiresAt = flags["expires-at"] === undefined ? undefined : new Date(flags["expires-at"]);
  if (expiresAt !== undefined && !(expiresAt > new Date()))
    throw new CliMistake("--expires-at: want a time in the future, such as 2027-01-01T00:00:00Z");
  const read = new ConfigReader(env, readFile);
  const { databaseUrl } = read.finish({ databaseUrl: read.databaseUrl() });
  const orm = await openOrm(databaseUrl, [ApiKeyEntity], 1);
  try {
    const em = orm.em.fork();
    const orgId = await findOrganization(sqlOf(em), flags.org);
    const { id, key } = await createApiKey(em, { orgId, name, scopes, expiresAt });
    console.log(JSON.stringify({ id, org_id: orgId, api_key: key }));
  } finally {
    await orm.close();
  }
}

function readScopes(text: string | undefined): readonly Scope[] {
  if (text === undefined) return SCOPES;
  return text.split(",").map((part) => {
    const scope = SCOPES.find((known) => known === part.trim());
    if (scope === undefined) throw new CliMistake(`--scopes: ${part.trim()} is none of ${SCOPES.join(", ")}`);
    return scope;
  });
}
