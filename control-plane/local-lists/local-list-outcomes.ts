import { originOf } from "../commands/answer-order.ts";
import type { EndedCommand, OutcomeEffect } from "../commands/outcome-effects.ts";
import type { Sql } from "../database.ts";
import { readTime } from "../transactions/meter-reading.ts";
import { isObject, textOf } from "../transactions/read-fields.ts";
import { giveUpSyncAfter } from "./sync-local-list.ts";

interface Entry {
  idToken: string;
  type: string;
  /** Absent: the entry is taken out. */
  info: { status: string; expiresAt: Date | null; group: string | null } | undefined;
}

/** SendLocalList (1.6 §5.15, 2.x D01): what the station accepted is what it has from then on. */
const listSent: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") await giveUpSyncAfter(sql, command.stationId, command.commandId);
  if (!isObject(command.payload)) return;
  const { payload } = command;
  const result = isObject(command.response) ? (textOf(command.response["status"]) ?? null) : null;
  if (result === null) return;
  const version = payload["listVersion"] ?? payload["versionNumber"];
  const accepted = command.state === "accepted" && Number.isSafeInteger(version);
  const full = payload["updateType"] === "Full";
  const { stationId, receivedAt, epoch, seq } = originOf(command);
  const rows = await sql.query(
    `insert into local_lists (station_id, version, entries_known, updated_at, last_result, epoch, seq)
     values ($1, case when $2 then $3::bigint end, $4 or not $2, case when $2 then $5::timestamptz end, $6, $7, $8)
     on conflict (station_id) do update set
       version = case when $2 then $3::bigint else local_lists.version end,
       entries_known = case when $2 then $4 or (local_lists.entries_known and local_lists.version is not null) else local_lists.entries_known end,
       updated_at = case when $2 then $5::timestamptz else local_lists.updated_at end,
       last_result = excluded.last_result, epoch = excluded.epoch, seq = excluded.seq
     where (local_lists.epoch, local_lists.seq) < (excluded.epoch, excluded.seq)
     returning station_id`,
    [stationId, accepted, accepted ? version : null, full, receivedAt, result, epoch, seq],
  );
  // The answer to a later list was filed before this one: what this one changed is not known any more, unless that was full.
  if (rows.length === 0) return accepted && !full ? forgetEntries(sql, stationId) : undefined;
  if (!accepted) return;
  if (full) await sql.query("delete from local_list_entries where station_id = $1", [stationId]);
  await writeEntries(sql, stationId, entriesOf(command));
};

const forgetEntries = async (sql: Sql, stationId: string): Promise<void> =>
  void (await sql.query("update local_lists set entries_known = false where station_id = $1", [stationId]));

async function writeEntries(sql: Sql, stationId: string, entries: readonly Entry[]): Promise<void> {
  // The last word on a token counts, as for the station.
  const byKey = new Map(entries.map((entry) => [`${entry.idToken.toLowerCase()}/${entry.type}`, entry]));
  const all = [...byKey.values()];
  await sql.query(
    `delete from local_list_entries e using unnest($2::text[], $3::text[]) as gone (key, type)
     where e.station_id = $1 and e.token_key = gone.key and e.id_token_type = gone.type`,
    [stationId, all.map((entry) => entry.idToken.toLowerCase()), all.map((entry) => entry.type)],
  );
  const kept = all.filter((entry) => entry.info !== undefined);
  await sql.query(
    `insert into local_list_entries (station_id, token_key, id_token, id_token_type, status, expires_at, group_id_token)
     select $1, lower(token), token, type, status, expires_at, group_token
     from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[]) as e (token, type, status, expires_at, group_token)
     on conflict do nothing`,
    [
      stationId,
      kept.map((entry) => entry.idToken),
      kept.map((entry) => entry.type),
      kept.map((entry) => entry.info?.status ?? null),
      kept.map((entry) => entry.info?.expiresAt?.toISOString() ?? null),
      kept.map((entry) => entry.info?.group ?? null),
    ],
  );
}

/** The entries as they were sent: valid against their schema. */
function entriesOf({ version, payload }: EndedCommand): Entry[] {
  const list = isObject(payload) ? payload["localAuthorizationList"] : undefined;
  if (!Array.isArray(list)) return [];
  return list.filter(isObject).map((entry) => (version === "1.6" ? entry16(entry) : entry2(entry)));
}

function entry16(entry: Record<string, unknown>): Entry {
  const info = entry["idTagInfo"];
  return {
    idToken: String(entry["idTag"]),
    type: "",
    info: isObject(info)
      ? {
          status: String(info["status"]),
          expiresAt: readTime(info["expiryDate"]),
          group: textOf(info["parentIdTag"]) ?? null,
        }
      : undefined,
  };
}

function entry2(entry: Record<string, unknown>): Entry {
  const { idToken, idTokenInfo: info } = entry;
  const token = isObject(idToken) ? idToken : {};
  const group = isObject(info) && isObject(info["groupIdToken"]) ? textOf(info["groupIdToken"]["idToken"]) : undefined;
  return {
    idToken: String(token["idToken"]),
    type: String(token["type"]),
    info: isObject(info)
      ? { status: String(info["status"]), expiresAt: readTime(info["cacheExpiryDateTime"]), group: group ?? null }
      : undefined,
  };
}

/** GetLocalListVersion (1.6 §5.10, 2.x D02): 0: no list; 1.6 says -1 where it keeps none. */
const versionTold: OutcomeEffect = async (sql, command) => {
  if (!isObject(command.response)) return;
  const reported = command.response["listVersion"] ?? command.response["versionNumber"];
  if (!Number.isSafeInteger(reported)) return;
  const { stationId, receivedAt, epoch, seq } = originOf(command);
  await sql.query(
    `insert into local_lists (station_id, reported_version, reported_at, reported_epoch, reported_seq, epoch, seq)
     values ($1, $2, $3, $4, $5, 0, 0)
     on conflict (station_id) do update set
       reported_version = excluded.reported_version, reported_at = excluded.reported_at,
       reported_epoch = excluded.reported_epoch, reported_seq = excluded.reported_seq
     where (coalesce(local_lists.reported_epoch, -1), coalesce(local_lists.reported_seq, -1)) < (excluded.reported_epoch, excluded.reported_seq)`,
    [stationId, reported, receivedAt, epoch, seq],
  );
};

export const LOCAL_LIST_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["SendLocalList", listSent],
  ["GetLocalListVersion", versionTold],
];
