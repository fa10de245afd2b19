import { originOf } from "../commands/answer-order.ts";
import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import { int4Of, isObject, textOf } from "../transactions/read-fields.ts";

/** ChangeAvailability (1.6 §5.2, 2.x G03, G04) that was taken on, at once or for after the running transaction. */
const changed: OutcomeEffect = async (sql, command) => {
  const { payload, response } = command;
  if (command.state !== "accepted" || !isObject(payload) || !isObject(response)) return;
  const evse = isObject(payload["evse"]) ? payload["evse"] : {};
  const evseId = int4Of(evse["id"]) ?? 0;
  const connectorId = int4Of(payload["connectorId"] ?? evse["connectorId"]) ?? 0;
  const { stationId, receivedAt, epoch, seq } = originOf(command);
  const wanted = textOf(payload["type"] ?? payload["operationalStatus"]);
  await sql.query(
    `insert into availability_requests (station_id, evse_id, connector_id, wanted, answer, command_id, recorded_at, epoch, seq)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (station_id, evse_id, connector_id) do update set
       wanted = excluded.wanted, answer = excluded.answer, command_id = excluded.command_id, recorded_at = excluded.recorded_at,
       epoch = excluded.epoch, seq = excluded.seq
     where (availability_requests.epoch, availability_requests.seq) < (excluded.epoch, excluded.seq)`,
    [stationId, evseId, connectorId, wanted, textOf(response["status"]), command.commandId, receivedAt, epoch, seq],
  );
};

export const AVAILABILITY_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [["ChangeAvailability", changed]];
