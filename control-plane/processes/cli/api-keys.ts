import { openOrm, sqlOf, sqlOn } from "../../database.ts";
import { isoSeconds } from "../../http/iso-time.ts";
import { SCOPES, type Scope } from "../../http/route.ts";
import { createApiKey } from "../../organizations/create-api-key.ts";
import { ApiKeyEntity } from "../../organizations/organization.entity.ts";
import { type CommandIo, defineCommand, ORG } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { findOrganization } from "./organizations.ts";
import { onPostgres, readDatabaseUrl } from "./with-servers.ts";

interface NewKey {
  name: string;
  org: string | undefined;
  scopes: string | undefined;
  "expires-at": string | undefined;
}

/** Makes an API key: for further organisations, and when the first key was lost. */
async function createKey(flags: NewKey, io: CommandIo): Promise<void> {
  const scopes = readScopes(flags.scopes);
  const expiresAt = flags["expires-at"] === undefined ? undefined : new Date(flags["expires-at"]);
  if (expiresAt !== undefined && !(expiresAt > new Date()))
    throw new CliMistake("--expires-at: want a time in the future, such as 2027-01-01T00:00:00Z");
  const orm = await openOrm(readDatabaseUrl(io), [ApiKeyEntity], 1);
  try {
    const em = orm.em.fork();
    const orgId = await findOrganization(sqlOf(em), flags.org);
    const { id, key } = await createApiKey(em, { orgId, name: flags.name, scopes, expiresAt });
    io.print({ id, org_id: orgId, api_key: key });
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

interface KeyRow {
  created_at: Date;
  last_used_at: Date | null;
  expires_at: Date | null;
}

const inSeconds = (time: Date | null): string | null => time && isoSeconds(time);

/** API keys of organisations. */
export const apiKeyCommands = [
  defineCommand({
    name: "api-keys create",
    summary: "Makes an API key and prints it, this once.",
    flags: {
      name: { value: "NAME", required: true, help: "what it is for" },
      org: ORG,
      scopes: { value: "A,B", help: "what it may do; everything, unless it is said" },
      "expires-at": { value: "TIME", help: "when it ends, such as 2027-01-01T00:00:00Z; else never" },
    },
    examples: [`api-keys create --name "dashboard" --scopes read:projects,read:charge_points`],
    run: createKey,
  }),
  defineCommand({
    name: "api-keys list",
    summary: "Prints an organisation's API keys that are not revoked, newest first, without the keys themselves.",
    flags: { org: ORG },
    examples: ["api-keys list"],
    columns: ["id", "name", "last4", "created_at", "last_used_at", "expires_at"],
    reads: true,
    run: ({ org }, io) =>
      onPostgres(io, async (pool) => {
        const sql = sqlOn(pool);
        const rows = await sql.query<KeyRow>(
          `select id, name, key_last4 as last4, scopes, created_at, last_used_at, expires_at from api_keys
           where org_id = $1 and revoked_at is null order by created_at desc, id desc`,
          [await findOrganization(sql, org)],
        );
        for (const row of rows)
          io.print({
            ...row,
            created_at: isoSeconds(row.created_at),
            last_used_at: inSeconds(row.last_used_at),
            expires_at: inSeconds(row.expires_at),
          });
      }),
  }),
  defineCommand({
    name: "api-keys revoke",
    summary: "Refuses an API key from now on, in every process.",
    flags: { id: { value: "KEY_ID", required: true, help: "as `api-keys list` has it" } },
    examples: ["api-keys revoke --id key_00000000000000000000000001"],
    run: ({ id }, io) =>
      onPostgres(io, async (pool) => {
        const rows = await sqlOn(pool).query(
          `update api_keys set revoked_at = coalesce(revoked_at, now()) where id = $1 returning id`,
          [id],
        );
        if (rows.length === 0) throw new CliMistake(`there is no API key ${id}: \`api-keys list\` shows them`);
        io.print({ id, status: "revoked" });
      }),
  }),
];
