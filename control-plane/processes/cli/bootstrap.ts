import { ConfigReader } from "../../config-reader.ts";
import { openOrm, sqlOf } from "../../database.ts";
import { SCOPES } from "../../http/route.ts";
import { createApiKey } from "../../organizations/create-api-key.ts";
import { ApiKeyEntity, OrganizationEntity } from "../../organizations/organization.entity.ts";
import { type CommandIo, defineCommand } from "./cli-command.ts";
import { insertOrganization, readOrganization } from "./organizations.ts";

/** One number among all users of advisory locks: two bootstraps at once make one organisation. */
const LOCK = 4_711_000_002;

/** Makes the first organisation with a key that may do everything. Prints the key once; later runs print the organisation alone. */
async function bootstrap(
  flags: { name: string; "contact-email": string },
  { env, readFile, print }: CommandIo,
): Promise<void> {
  const wanted = readOrganization(flags);
  const read = new ConfigReader(env, readFile);
  const { databaseUrl } = read.finish({ databaseUrl: read.databaseUrl() });
  const orm = await openOrm(databaseUrl, [ApiKeyEntity, OrganizationEntity], 2);
  try {
    const made = await orm.em.fork().transactional(async (em) => {
      await sqlOf(em).query("select pg_advisory_xact_lock($1)", [LOCK]);
      const [first] = await em.findAll(OrganizationEntity, { orderBy: { createdAt: "asc" }, limit: 1 });
      if (first !== undefined) return { org_id: first.id };
      const orgId = await insertOrganization(em, wanted);
      const { key } = await createApiKey(em, { orgId, name: "first key", scopes: SCOPES });
      return { org_id: orgId, api_key: key };
    });
    print(made);
  } finally {
    await orm.close();
  }
}

/** The first organisation. */
export const bootstrapCommand = defineCommand({
  name: "bootstrap",
  summary: "Makes the first organisation and its API key.",
  more: "Prints org_id and api_key, the key this once. Where there is an organisation already it prints the id of the oldest alone.",
  flags: {
    name: { value: "NAME", required: true, help: "what it is called" },
    "contact-email": { value: "ADDRESS", required: true, help: "whom charge point installers can turn to" },
  },
  examples: [`bootstrap --name "ChargeCo" --contact-email ops@example.org`],
  run: bootstrap,
});
