import type pg from "pg";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { CommandableStation } from "../commands/find-commandable-station.ts";
import { queueCommand } from "../commands/queue-command.ts";
import { SPELLED_GROUP, SPELLED_TOKEN } from "../authorization/token-status.ts";
import { inTransaction, type Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { type ListedToken, planSync } from "./plan-sync.ts";

/** More than any station holds; the operator sends its own selection then. */
const MAX_TOKENS = 10_000;
/** What most stations take, where they do not say. */
const DEFAULT_ITEMS = 50;
const FEWEST_ITEMS = 10;
const MOST_MESSAGES = 1_000;
/** Messages of a sync that wait have this in their dedupe_key: the first one that is not accepted ends the others. */
const SYNC_KEY = "local-list-sync:";

export interface SyncWanted {
  requestedBy: string;
  itemsPerMessage: number | undefined;
  validForMs: number;
}

export interface StartedSync {
  commandIds: string[];
  firstVersion: number;
  lastVersion: number;
  tokens: number;
  skipped: number;
}

/** "too-many-tokens", "versions-used-up": nothing can be sent; "under-way": a sync of this station is not finished. */
export type SyncRefusal = "too-many-tokens" | "versions-used-up" | "under-way";

/** Queues the messages that make the station's list the organisation's tokens; they go out when it is connected. */
export async function syncLocalList(
  pool: pg.Pool,
  station: CommandableStation,
  wanted: SyncWanted,
): Promise<Result<StartedSync, SyncRefusal>> {
  return inTransaction(pool, async (sql) => {
    // One sync at a time per station: two would mix their parts. The intake, whose rows refer to the station, goes on.
    await sql.query("select 1 from stations where id = $1 for no key update", [station.id]);
    if (await isUnderWay(sql, station.id)) return err("under-way");
    const tokens = await tokensOf(sql, station.orgId);
    if (tokens.length > MAX_TOKENS) return err("too-many-tokens");
    const items = wanted.itemsPerMessage ?? (await itemsPerMessage(sql, station.id));
    const perMessage = Math.max(items, Math.ceil(tokens.length / MOST_MESSAGES));
    const plan = planSync(station.version, tokens, await knownVersion(sql, station.id), perMessage);
    if (!plan.ok) return plan;
    const { payloads, firstVersion, lastVersion, skipped } = plan.value;
    const commandIds: string[] = [];
    for (const [index, payload] of payloads.entries()) {
      const commandId = newId("cmd");
      commandIds.push(commandId);
      await queueCommand(sql, {
        commandId,
        stationId: station.id,
        orgId: station.orgId,
        version: station.version,
        action: "SendLocalList",
        payload,
        requestedBy: wanted.requestedBy,
        validForMs: wanted.validForMs,
        dedupeKey: `${SYNC_KEY}${index}`,
      });
    }
    return ok({ commandIds, firstVersion, lastVersion, tokens: tokens.length - skipped, skipped });
  });
}

async function isUnderWay(sql: Sql, stationId: string): Promise<boolean> {
  const rows = await sql.query(
    `select 1 from commands where station_id = $1 and deliver = 'when_connected' and final_at is null and starts_with(dedupe_key, $2) limit 1`,
    [stationId, SYNC_KEY],
  );
  return rows.length > 0;
}

async function tokensOf(sql: Sql, orgId: string): Promise<ListedToken[]> {
  return sql.query<ListedToken>(
    `select ${SPELLED_TOKEN} as token, type, status, expires_at as "expiresAt", ${SPELLED_GROUP} as "groupToken" from id_tokens
     where org_id = $1 order by id_tokens.token limit $2`,
    [orgId, MAX_TOKENS + 1],
  );
}

/** As the station said it: 1.6 SendLocalListMaxLength (§9.2), 2.x LocalAuthListCtrlr.ItemsPerMessage. */
async function itemsPerMessage(sql: Sql, stationId: string): Promise<number> {
  const [row] = await sql.query<{ value: string }>(
    `select value from station_variables
     where station_id = $1 and lower(variable) in ('sendlocallistmaxlength', 'itemspermessage') and value ~ '^[0-9]{1,5}$'
     order by value::int limit 1`,
    [stationId],
  );
  return row === undefined ? DEFAULT_ITEMS : Math.max(FEWEST_ITEMS, Number(row.value));
}

async function knownVersion(sql: Sql, stationId: string): Promise<number> {
  const [row] = await sql.query<{ version: string }>(
    "select greatest(version, reported_version, 0)::text as version from local_lists where station_id = $1",
    [stationId],
  );
  return Number(row?.version ?? 0);
}

/**
 * A part of a sync was not accepted: the parts behind it would be changes of another list. They are taken back, in the
 * transaction of that part's end, before any of them can be sent.
 */
export async function giveUpSyncAfter(sql: Sql, stationId: string, commandId: string): Promise<void> {
  await sql.query(
    `update commands set state = 'not_connected', final_at = now(), reason = 'an earlier part of the list was not accepted'
     where station_id = $1 and deliver = 'when_connected' and final_at is null and state = 'queued' and starts_with(dedupe_key, $3)
       and exists (select 1 from commands failed where failed.id = $2 and starts_with(failed.dedupe_key, $3))`,
    [stationId, commandId, SYNC_KEY],
  );
}
