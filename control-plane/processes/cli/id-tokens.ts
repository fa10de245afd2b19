import type { Environment } from "@dynamo-csms/proto/process/environment";
import { z } from "zod";
import { forgetTokens } from "../../authorization/authorization-cache.ts";
import {
  DEFAULT_MAX_ACTIVE_TRANSACTIONS,
  type IdToken,
  type IdTokenEntry,
  listIdTokens,
  putIdTokens,
  TOKEN_STATUSES,
} from "../../authorization/id-tokens.ts";
import { ConfigReader } from "../../config-reader.ts";
import { openPool, sqlOn } from "../../database.ts";
import { oneLine } from "../../http/fields.ts";
import { isoSeconds } from "../../http/iso-time.ts";
import { CliMistake, required } from "./cli-mistake.ts";
import { findOrganization } from "./organization.ts";
import { withServers } from "./with-servers.ts";

interface Flags {
  token?: string | undefined;
  org?: string | undefined;
  status?: string | undefined;
  "expires-at"?: string | undefined;
  group?: string | undefined;
  "max-active"?: string | undefined;
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
    const [stored] = await putIdTokens(sqlOn(pool), orgId, [token]);
    if (stored === undefined) throw new Error("a token was neither added nor replaced");
    // After the commit: whoever fills the cache again reads the new status.
    await forgetTokens(redis, orgId, [stored]);
    console.log(JSON.stringify({ org_id: orgId, ...shown(stored), added: stored.added }));
  });
}

/** Prints the organisation's tokens, newest first, one JSON object per line. */
export async function listTokens(flags: Flags, env: Environment, readFile: (path: string) => string): Promise<void> {
  const read = new ConfigReader(env, readFile);
  const { databaseUrl } = read.finish({ databaseUrl: read.databaseUrl() });
  const pool = openPool(databaseUrl, 1, "dynamo cli");
  try {
    const sql = sqlOn(pool);
    const orgId = await findOrganization(sql, flags.org);
    for (let after: string[] | undefined = []; after !== undefined;) {
      const page: IdToken[] = await listIdTokens(sql, orgId, {}, PAGE, after);
      for (const token of page) console.log(JSON.stringify(shown(token)));
      const last = page.at(-1);
      after = last === undefined ? undefined : [last.createdAtText, last.id];
    }
  } finally {
    await pool.end();
  }
}

function readToken(flags: Flags): IdTokenEntry {
  const text = (name: "token" | "group", max: number) => {
    const value = oneLine(max).safeParse(flags[name]);
    if (!value.success) throw new CliMistake(`--${name}: want one line of 1 to ${max} characters`);
    return value.data.trim();
  };
  required(flags.token, "token");
  const status = TOKEN_STATUSES.find((known) => known === (flags.status ?? "Accepted"));
  if (status === undefined) throw new CliMistake(`--status: want one of ${TOKEN_STATUSES.join(", ")}`);
  const expiresAt = flags["expires-at"];
  if (expiresAt !== undefined && !z.iso.datetime().safeParse(expiresAt).success)
    throw new CliMistake("--expires-at: want a time in UTC, such as 2027-01-01T00:00:00Z");
  return {
    token: text("token", MAX_TOKEN),
    type: null,
    status,
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt),
    groupToken: flags.group === undefined ? null : text("group", 36),
    maxActiveTransactions: readLimit(flags["max-active"]),
    note: null,
  };
}

/** How many sessions of the token may run at once: null is any number. */
function readLimit(given: string | undefined): number | null {
  if (given === undefined) return DEFAULT_MAX_ACTIVE_TRANSACTIONS;
  if (given === "unlimited") return null;
  const limit = /^\d{1,4}$/.test(given) ? Number(given) : 0;
  if (limit < 1 || limit > 1_000) throw new CliMistake("--max-active: want a number from 1 to 1000, or unlimited");
  return limit;
}

const shown = ({ token, status, expiresAt, groupToken, maxActiveTransactions }: IdToken) => ({
  token,
  status,
  expires_at: expiresAt && isoSeconds(expiresAt),
  group: groupToken,
  max_active: maxActiveTransactions,
});
