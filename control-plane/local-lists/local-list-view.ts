import { z } from "zod";
import type { Sql } from "../database.ts";
import { isoTime, pageAnswer } from "../http/fields.ts";
import { isoMillis } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import type { Scope } from "../http/route.ts";
import { shownToken, TOKENS_MASKED } from "../message-log/token-scope.ts";

const entry = z.strictObject({
  id_token: z.string().describe(TOKENS_MASKED),
  id_token_type: z.string().nullable().describe("null for OCPP 1.6"),
  status: z.string(),
  expires_at: isoTime().nullable(),
  group_id_token: z.string().nullable().describe(TOKENS_MASKED),
});

/** A charge point's local authorization list as the API shows it. */
export const localListAnswer = named(
  "LocalList",
  z.strictObject({
    version: z.int().nullable().describe("of the last list that the charge point accepted; null: none"),
    updated_at: isoTime().nullable(),
    entries_known: z.boolean().describe("false: a change was accepted on top of a list that did not come from here"),
    last_result: z.string().nullable().describe("the charge point's answer to the last SendLocalList"),
    reported_version: z.int().nullable().describe("its last answer to GetLocalListVersion"),
    reported_at: isoTime().nullable(),
    in_step: z
      .boolean()
      .nullable()
      .describe("whether the reported version is the one that was accepted; null: it did not report since"),
    entries: z.array(entry),
    ...pageAnswer,
  }),
);

interface ListRow {
  version: string | null;
  updated_at: Date | null;
  entries_known: boolean;
  last_result: string | null;
  reported_version: string | null;
  reported_at: Date | null;
  in_step: boolean | null;
}

export type LocalListHead = Omit<z.output<typeof localListAnswer>, "entries" | "next_cursor" | "has_more">;

/** What is known of the station's list, without its entries. A station that was never sent one has none. */
export async function findLocalList(sql: Sql, stationId: string): Promise<LocalListHead> {
  const [row] = await sql.query<ListRow>(
    `select version::text, updated_at, entries_known, last_result, reported_version::text, reported_at,
       case when reported_epoch is null or (reported_epoch, reported_seq) < (epoch, seq) and last_result = 'Accepted' then null
         else reported_version = coalesce(version, 0) end as in_step
     from local_lists where station_id = $1`,
    [stationId],
  );
  return {
    version: row?.version == null ? null : Number(row.version),
    updated_at: row?.updated_at ? isoMillis(row.updated_at) : null,
    entries_known: row?.entries_known ?? true,
    last_result: row?.last_result ?? null,
    reported_version: row?.reported_version == null ? null : Number(row.reported_version),
    reported_at: row?.reported_at ? isoMillis(row.reported_at) : null,
    in_step: row?.in_step ?? null,
  };
}

interface EntryRow {
  id_token: string;
  id_token_type: string;
  status: string;
  expires_at: Date | null;
  group_id_token: string | null;
}

/**
 * Entries by token, one more than `limit` where there are more. A page begins at a number, not behind a token: a cursor
 * would show the token. A list has as many as one charge point can hold.
 */
export async function listEntries(
  sql: Sql,
  stationId: string,
  { from, limit, scopes }: { from: number; limit: number; scopes: readonly Scope[] },
): Promise<{ keys: string[]; answer: z.output<typeof entry> }[]> {
  const rows = await sql.query<EntryRow>(
    `select id_token, id_token_type, status, expires_at, group_id_token from local_list_entries
     where station_id = $1 order by token_key, id_token_type limit $2 offset $3`,
    [stationId, limit + 1, from],
  );
  return rows.map((row, place) => ({
    keys: [String(from + place + 1)],
    answer: {
      id_token: shownToken(row.id_token, scopes),
      id_token_type: row.id_token_type === "" ? null : row.id_token_type,
      status: row.status,
      expires_at: row.expires_at && isoMillis(row.expires_at),
      group_id_token: shownToken(row.group_id_token, scopes),
    },
  }));
}
