import { originOf } from "../commands/answer-order.ts";
import type { EndedCommand, OutcomeEffect } from "../commands/outcome-effects.ts";
import type { Sql } from "../database.ts";
import { storableJson } from "../message-log/storable-text.ts";
import { int4Of, isObject } from "../transactions/read-fields.ts";
import { type ClearCriteria, clears, readCriteria, readProfile } from "./read-profile.ts";

/** SetChargingProfile that was accepted (1.6 §5.16, 2.x K01). */
const profileSet: OutcomeEffect = async (sql, command) => {
  const { payload } = command;
  if (command.state !== "accepted" || !isObject(payload)) return;
  await fileProfile(
    sql,
    command,
    int4Of(payload["connectorId"] ?? payload["evseId"]) ?? 0,
    payload["csChargingProfiles"] ?? payload["chargingProfile"],
  );
};

/** A remote start may bring the profile of its transaction along (1.6 §5.11, 2.x F01). */
const startedWithProfile: OutcomeEffect = async (sql, command) => {
  const { payload } = command;
  if (command.state !== "accepted" || !isObject(payload) || payload["chargingProfile"] === undefined) return;
  await fileProfile(sql, command, int4Of(payload["connectorId"] ?? payload["evseId"]) ?? 0, payload["chargingProfile"]);
};

async function fileProfile(sql: Sql, command: EndedCommand, evseId: number, profile: unknown): Promise<void> {
  const fields = readProfile(profile);
  if (fields === undefined || (await wasClearedSince(sql, command, { ...fields, evseId }))) return;
  const { stationId, receivedAt, epoch, seq } = originOf(command);
  const place = [stationId, fields.id, evseId, fields.purpose, fields.stackLevel, epoch, seq, receivedAt];
  await sql.query(
    `insert into charging_profiles (station_id, profile_id, evse_id, purpose, stack_level, epoch, seq, recorded_at, kind, transaction_id,
       profile, source, command_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'command', $12)
     on conflict (station_id, profile_id) do update set
       evse_id = excluded.evse_id, purpose = excluded.purpose, stack_level = excluded.stack_level, epoch = excluded.epoch,
       seq = excluded.seq, recorded_at = excluded.recorded_at, kind = excluded.kind, transaction_id = excluded.transaction_id,
       profile = excluded.profile, source = 'command', limit_source = null, command_id = excluded.command_id, cleared_at = null
     where (charging_profiles.epoch, charging_profiles.seq) < (excluded.epoch, excluded.seq)`,
    [...place, fields.kind, fields.transactionId ?? null, storableJson(JSON.stringify(profile)), command.commandId],
  );
  // 1.6 §5.16: a new profile takes the place of the one with the same stack level and purpose.
  if (command.version === "1.6")
    await sql.query(
      `update charging_profiles set cleared_at = $8, epoch = $6, seq = $7
       where station_id = $1 and profile_id <> $2 and evse_id = $3 and purpose = $4 and stack_level = $5
         and cleared_at is null and (epoch, seq) < ($6, $7)`,
      place,
    );
}

/** The ends of two commands may be filed in another order than the station answered them. */
async function wasClearedSince(
  sql: Sql,
  command: EndedCommand,
  profile: Parameters<typeof clears>[1],
): Promise<boolean> {
  const rows = await sql.query<{ payload: Record<string, unknown> }>(
    `select payload from commands where station_id = $1 and action = 'ClearChargingProfile' and state = 'accepted' and answered_at > $2`,
    [command.stationId, command.at],
  );
  return rows.some(({ payload }) => clears(readCriteria(payload), profile));
}

/** ClearChargingProfile (1.6 §5.5, 2.x K10) that was accepted. */
const profileCleared: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted" || !isObject(command.payload)) return;
  const criteria: ClearCriteria = readCriteria(command.payload);
  const { stationId, receivedAt, epoch, seq } = originOf(command);
  await sql.query(
    `update charging_profiles set cleared_at = $2, epoch = $3, seq = $4
     where station_id = $1 and cleared_at is null and (epoch, seq) < ($3, $4)
       and case when $5::bigint is not null then profile_id = $5 else
         ($6::int is null or evse_id = $6) and ($7::text is null or purpose = $7) and ($8::int is null or stack_level = $8) end`,
    [
      stationId,
      receivedAt,
      epoch,
      seq,
      criteria.id ?? null,
      criteria.evseId ?? null,
      criteria.purpose ?? null,
      criteria.stackLevel ?? null,
    ],
  );
};

export const CHARGING_PROFILE_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["SetChargingProfile", profileSet],
  ["ClearChargingProfile", profileCleared],
  ["RemoteStartTransaction", startedWithProfile],
  ["RequestStartTransaction", startedWithProfile],
];
