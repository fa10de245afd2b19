import { originOf } from "../commands/answer-order.ts";
import type { EndedCommand, OutcomeEffect } from "../commands/outcome-effects.ts";
import type { Sql } from "../database.ts";
import { storableText } from "../message-log/storable-text.ts";
import type { FactOrder } from "../stations/fact-order.ts";
import { readTime } from "../transactions/meter-reading.ts";
import { int4Of, isObject, textOf } from "../transactions/read-fields.ts";

/** What a station's message says about a reservation. */
export interface ReservationUpdate extends FactOrder {
  stationId: string;
  reservationId: number;
  state: "used" | "expired" | "removed";
  /** Of the transaction that used it. */
  transactionId: string | undefined;
  receivedAt: Date;
}

/** Ends reservations; what is not on record, or has ended by a later word, stays as it is. */
export async function recordReservationUpdates(sql: Sql, updates: readonly ReservationUpdate[]): Promise<void> {
  if (updates.length === 0) return;
  const ordered = [...updates].sort(
    (a, b) =>
      Number(BigInt(a.stationId) - BigInt(b.stationId)) ||
      a.reservationId - b.reservationId ||
      a.epoch - b.epoch ||
      a.seq - b.seq,
  );
  // One by one: rare, and a second word on the same reservation goes by what the first one left.
  for (const update of ordered)
    await sql.query(
      `update reservations set state = $3, transaction_id = $4, ended_at = $5, epoch = $6, seq = $7
       where station_id = $1 and reservation_id = $2 and (epoch, seq) < ($6, $7)
         and state in ('active', case when $3 = 'used' then 'expired' else 'active' end)`,
      [
        update.stationId,
        update.reservationId,
        update.state,
        update.transactionId === undefined ? null : storableText(update.transactionId),
        update.receivedAt,
        update.epoch,
        update.seq,
      ],
    );
}

/** ReserveNow (1.6 §5.13, 2.x H01) that was accepted: one with a known id replaces it. */
const reserved: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted" || !isObject(command.payload)) return;
  const reservation = command.version === "1.6" ? reservation16(command.payload) : reservation2(command.payload);
  if (reservation === undefined) return;
  const { stationId, receivedAt, epoch, seq } = originOf(command);
  await sql.query(
    `insert into reservations (station_id, reservation_id, evse_id, connector_type, id_token, id_token_type, group_id_token, expires_at,
       state, command_id, recorded_at, epoch, seq)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'active', $9, $10, $11, $12)
     on conflict (station_id, reservation_id) do update set
       evse_id = excluded.evse_id, connector_type = excluded.connector_type, id_token = excluded.id_token,
       id_token_type = excluded.id_token_type, group_id_token = excluded.group_id_token, expires_at = excluded.expires_at,
       state = 'active', transaction_id = null, command_id = excluded.command_id, recorded_at = excluded.recorded_at,
       ended_at = null, epoch = excluded.epoch, seq = excluded.seq
     where (reservations.epoch, reservations.seq) < (excluded.epoch, excluded.seq)`,
    [
      stationId,
      reservation.id,
      reservation.evseId ?? null,
      reservation.connectorType ?? null,
      reservation.idToken,
      reservation.idTokenType ?? null,
      reservation.groupIdToken ?? null,
      reservation.expiresAt,
      command.commandId,
      receivedAt,
      epoch,
      seq,
    ],
  );
};

interface Reservation {
  id: number;
  evseId: number | undefined;
  connectorType: string | undefined;
  idToken: string;
  idTokenType: string | undefined;
  groupIdToken: string | undefined;
  expiresAt: Date | null;
}

function reservation16(payload: Record<string, unknown>): Reservation | undefined {
  const id = payload["reservationId"];
  if (!Number.isSafeInteger(id)) return undefined;
  return {
    id: id as number,
    evseId: int4Of(payload["connectorId"]),
    connectorType: undefined,
    idToken: String(payload["idTag"]),
    idTokenType: undefined,
    groupIdToken: textOf(payload["parentIdTag"]),
    expiresAt: readTime(payload["expiryDate"]),
  };
}

function reservation2(payload: Record<string, unknown>): Reservation | undefined {
  const { id, idToken, groupIdToken } = payload;
  if (!Number.isSafeInteger(id) || !isObject(idToken)) return undefined;
  return {
    id: id as number,
    evseId: int4Of(payload["evseId"]),
    connectorType: textOf(payload["connectorType"]),
    idToken: String(idToken["idToken"]),
    idTokenType: textOf(idToken["type"]),
    groupIdToken: isObject(groupIdToken) ? textOf(groupIdToken["idToken"]) : undefined,
    expiresAt: readTime(payload["expiryDateTime"]),
  };
}

/** CancelReservation (1.6 §5.2, 2.x H02) that was accepted. */
const cancelled: OutcomeEffect = async (sql, command: EndedCommand) => {
  if (command.state !== "accepted" || !isObject(command.payload)) return;
  const id = command.payload["reservationId"];
  if (!Number.isSafeInteger(id)) return;
  const { stationId, receivedAt, epoch, seq } = originOf(command);
  await sql.query(
    `update reservations set state = 'cancelled', ended_at = $3, epoch = $4, seq = $5
     where station_id = $1 and reservation_id = $2 and (epoch, seq) < ($4, $5) and state = 'active'`,
    [stationId, id, receivedAt, epoch, seq],
  );
};

export const RESERVATION_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["ReserveNow", reserved],
  ["CancelReservation", cancelled],
];
