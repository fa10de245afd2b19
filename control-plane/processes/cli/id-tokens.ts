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
import { sqlOn } from "../../database.ts";
import { oneLine } from "../../http/fields.ts";
import { isoSeconds } from "../../http/iso-time.ts";
import { type CommandIo, defineCommand, ORG } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { findOrganization } from "./organizations.ts";
import { onPostgres, readShared, withServers } from "./with-servers.ts";

interface Flags {
  token: string;
  org: string | undefined;
  status: string | undefined;
  "expires-at": string | undefined;
  group: string | undefined;
  "max-active": string | undefined;
}

const PAGE = 1_000;

/** The longest idToken there is (OCPP 2.1); 1.6 has 20 characters, 2.0.1 36. */
const MAX_TOKEN = 255;

/** Adds a token that charge points may authorize with, or changes it. A gateway that answers alone learns it too. */
async function addIdToken(flags: Flags, io: CommandIo): Promise<void> {
  const token = readToken(flags);
  await withServers(readShared(io), async ({ pool, redis }) => {
    const orgId = await findOrganization(sqlOn(pool), flags.org);
    const [stored] = await putIdTokens(sqlOn(pool), orgId, [token]);
    if (stored === undefined) throw new Error("a token was neither added nor replaced");
    // After the commit: whoever fills the cache again reads the new status.
    await forgetTokens(redis, orgId, [stored]);
    io.print({ org_id: orgId, ...shown(stored), added: stored.added });
  });
}

/** Prints the organisation's tokens, newest first, one JSON object per line. */
async function listTokens({ org }: Pick<Flags, "org">, io: CommandIo): Promise<void> {
  await onPostgres(io, async (pool) => {
    const sql = sqlOn(pool);
    const orgId = await findOrganization(sql, org);
    for (let after: string[] | undefined = []; after !== undefined;) {
      const page: IdToken[] = await listIdTokens(sql, orgId, {}, PAGE, after);
      for (const token of page) io.print(shown(token));
      const last = page.at(-1);
      after = last === undefined ? undefined : [last.createdAtText, last.id];
    }
  });
}

function readToken(flags: Flags): IdTokenEntry {
  const text = (name: "token" | "group", max: number) => {
    const value = oneLine(max).safeParse(flags[name]);
    if (!value.success) throw new CliMistake(`--${name}: want one line of 1 to ${max} characters`);
    return value.data.trim();
  };
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

/** Cards and other tokens that charge points may authorize with. */
export const idTokenCommands = [
  defineCommand({
    name: "id-tokens add",
    summary: "Adds an RFID card or other token that charge points may authorize with, or changes it.",
    flags: {
      token: { value: "TOKEN", required: true, help: "as charge points send it, in any case" },
      org: ORG,
      status: { value: "STATUS", help: "Accepted, if nothing is said", choices: TOKEN_STATUSES },
      "expires-at": { value: "TIME", help: "when it ends, such as 2027-01-01T00:00:00Z" },
      group: { value: "TOKEN", help: "tokens of one group may end each other's sessions" },
      "max-active": { value: "N|unlimited", help: "sessions at once; 1, if nothing is said" },
    },
    examples: [
      "id-tokens add --token 04A2B3C4D5E680",
      "id-tokens add --token 04A2B3C4D5E681 --group fleet-7 --expires-at 2099-12-31T23:59:59Z --max-active unlimited",
      "id-tokens add --token 04A2B3C4D5E680 --status Blocked",
    ],
    run: addIdToken,
  }),
  defineCommand({
    name: "id-tokens list",
    summary: "Prints an organisation's tokens, newest first.",
    flags: { org: ORG },
    examples: ["id-tokens list"],
    columns: ["token", "status", "expires_at", "group", "max_active"],
    reads: true,
    run: listTokens,
  }),
];
