import type { Environment } from "@dynamo-csms/proto/process/environment";
import { z } from "zod";
import { ConfigReader } from "../../config-reader.ts";
import { openOrm, sqlOf } from "../../database.ts";
import { emailAddress, oneLine } from "../../http/fields.ts";
import { SCOPES } from "../../http/route.ts";
import { newId } from "../../ids.ts";
import { createApiKey } from "../../organizations/create-api-key.ts";
import { ApiKeyEntity, OrganizationEntity } from "../../organizations/organization.entity.ts";
import { CliMistake, required } from "./cli-mistake.ts";

/** One number among all users of advisory locks: two bootstraps at once make one organisation. */
const LOCK = 4_711_000_002;

/** Makes the first organisation with a key that may do everything. Prints the key once; later runs print the organisation alone. */
export async function bootstrap(
  flags: { name?: string | undefined; "contact-email"?: string | undefined },
  env: Environment,
  readFile: (path: string) => string,
): Promise<void> {
  const wanted = z
    .object({ name: oneLine(200), email: emailAddress() })
    .safeParse({ name: required(flags.name, "name"), email: required(flags["contact-email"], "contact-email") });
  if (!wanted.success)
    throw new CliMistake(wanted.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  const read = new ConfigReader(env, readFile);
  const { databaseUrl } = read.finish({ databaseUrl: read.databaseUrl() });
  const orm = await openOrm(databaseUrl, [ApiKeyEntity, OrganizationEntity], 2);
  try {
    const made = await orm.em.fork().transactional(async (em) => {
      await sqlOf(em).query("select pg_advisory_xact_lock($1)", [LOCK]);
      const [first] = await em.findAll(OrganizationEntity, { orderBy: { createdAt: "asc" }, limit: 1 });
      if (first !== undefined) return { org_id: first.id };
      const orgId = newId("org");
      await em.insert(OrganizationEntity, {
        id: orgId,
        name: wanted.data.name,
        contactEmail: wanted.data.email,
        createdAt: new Date(),
      });
      const { key } = await createApiKey(em, { orgId, name: "first key", scopes: SCOPES });
      return { org_id: orgId, api_key: key };
    });
    console.log(JSON.stringify(made));
  } finally {
    await orm.close();
  }
}
