import type { Environment } from "@dynamo-csms/proto/process/environment";
import { authorizationCache } from "@dynamo-csms/proto/redis-keys";
import { z } from "zod";
import { ConfigReader } from "../../config-reader.ts";
import { openPool, sqlOn } from "../../database.ts";
import { oneLine } from "../../http/fields.ts";
import { isoSeconds } from "../../http/iso-time.ts";
import { type IdToken, listIdTokens, putIdToken, TOKEN_STATUSES } from "../../transactions/id-tokens.ts";
import { CliMistake, required } from "./cli-mistake.ts";
import { findOrganization } from "./organization.ts";
import { withServers } from "./with-servers.ts";

interface Flags {
  token?: string | undefined;
  org?: string | undefined;
  status?: string | undefined;
  "expires-at"?: string | undefined;
  group?: string | undefined;
}

const PAGE = 1_000;

/** The longest idToken there is (OCPP 2.1); 1.6 has 20 characters, 2.0.1 36. */
const MAX_TOKEN = 255;

/** Adds a token that charge points may authorize with, or changes it. A gateway that answers alone learns it too. */
export async function addIdToken(flags: Flags, env: Environment, readFile: (path: string) => string): Promise<void> {
  const token = readToken(flags);
  const read = new ConfigReader(env, readFile);
  await withServers(read.finish(read.shared()), async ({ pool, redis }) => {
    const orgId = await findOrganization(sqlOn(pool), flags.org);
    const added = await putIdToken(sqlOn(pool), orgId, token);
    // After the commit: whoever fills the cache again reads the new status.
    await redis.hdel(authorizationCache(orgId), token.token);
    console.log(JSON.stringify({ org_id: orgId, ...shown(token), added }));
  });
}

/** Prints the organisation's tokens, one JSON object per line. */
export async function listTokens(flags: Flags, env: Environment, readFile: (path: string) => string): Promise<void> {
  const read = new ConfigReader(env, readFile);
  const { databaseUrl } = read.finish({ databaseUrl: read.databaseUrl() });
  const pool = openPool(databaseUrl, 1, "dynamo cli");
  try {
    const sql = sqlOn(pool);
    const orgId = await findOrganization(sql, flags.org);
    for (let after: string | undefined = ""; after !== undefined;) {
      const page: IdToken[] = await listIdTokens(sql, orgId, after, PAGE);
      for (const token of page) console.log(JSON.stringify(shown(token)));
      after = page.at(-1)?.token;
    }
  } finally {
    await pool.end();
  }
}

function readToken(flags: Flags): IdToken {
  const text = (name: "token" | "group", max: number) => {
    const value = oneLine(max).safeParse(flags[name]);
    if (!value.success) throw new CliMistake(`--${name}: want one line of 1 to ${max} characters`);
    // idTag and idToken are case-insensitive (C16 CiString, P2 IdTokenType).
    return value.data.trim().toLowerCase();
  };
  required(flags.token, "token");
  const status = TOKEN_STATUSES.find((known) => known === (flags.status ?? "Accepted"));
  if (status === undefined) throw new CliMistake(`--status: want one of ${TOKEN_STATUSES.join(", ")}`);
  const expiresAt = flags["expires-at"];
  if (expiresAt !== undefined && !z.iso.datetime().safeParse(expiresAt).success)
    throw new CliMistake("--expires-at: want a time in UTC, such as 2027-01-01T00:00:00Z");
  return {
    token: text("token", MAX_TOKEN),
    status,
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt),
    groupToken: flags.group === undefined ? null : text("group", 36),
  };
}

const shown = ({ token, status, expiresAt, groupToken }: IdToken) => ({
  token,
  status,
  expires_at: expiresAt && isoSeconds(expiresAt),
  group: groupToken,
});
