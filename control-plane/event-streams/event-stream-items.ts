import type { RequestPayload, ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { originOf } from "../commands/answer-order.ts";
import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import type { FactOrigin } from "../device-model/read-variables.ts";
import { readTime } from "../transactions/meter-reading.ts";
import { clearItems, itemKey, type ItemChange, recordItems } from "../station-items/record-items.ts";

type Stream = RequestPayload<"2.1", "OpenPeriodicEventStream">["constantStreamData"];

/** The newest values of a stream are kept; all of them stand in the message log. */
const MAX_VALUES = 100;

const streamItem = (origin: FactOrigin, stream: Stream): ItemChange => ({
  ...origin,
  kind: "event_stream",
  key: itemKey(stream.id),
  present: true,
  data: {
    event_stream_id: stream.id,
    monitor_id: stream.variableMonitoringId,
    interval_seconds: stream.params.interval ?? null,
    values_per_message: stream.params.values ?? null,
  },
  adds: true,
});

/** The station opens a stream (2.1 Part 2 N11 OpenPeriodicEventStream). */
export const itemOfOpenedStream = (
  { constantStreamData }: RequestPayload<"2.1", "OpenPeriodicEventStream">,
  origin: FactOrigin,
): ItemChange => ({ ...streamItem(origin, constantStreamData), adds: false });

/** The station closes one (N12 ClosePeriodicEventStream). */
export const itemOfClosedStream = (
  { id }: RequestPayload<"2.1", "ClosePeriodicEventStream">,
  origin: FactOrigin,
): ItemChange => ({ ...origin, kind: "event_stream", key: itemKey(id), present: false, data: {}, adds: true });

/** Values of a stream (N11 NotifyPeriodicEventStream, a SEND): each `t` is seconds after `basetime`. */
export function itemOfStreamValues(
  { id, basetime, data, pending }: RequestPayload<"2.1", "NotifyPeriodicEventStream">,
  origin: FactOrigin,
): ItemChange {
  const base = readTime(basetime) ?? origin.receivedAt;
  const values = data.slice(-MAX_VALUES).map(({ t, v }) => ({ at: momentAfter(base, t), value: v }));
  return {
    ...origin,
    kind: "event_stream",
    key: itemKey(id),
    present: true,
    data: { event_stream_id: id, pending, values },
    adds: true,
  };
}

/** A moment that no calendar has is the base's own. */
function momentAfter(base: Date, seconds: number): string {
  const moment = new Date(base.getTime() + seconds * 1_000);
  const year = moment.getUTCFullYear();
  return (year >= 1 && year <= 9999 ? moment : base).toISOString();
}

const adjust: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const { id, params } = command.payload as RequestPayload<"2.1", "AdjustPeriodicEventStream">;
  const data = { interval_seconds: params.interval ?? null, values_per_message: params.values ?? null };
  await recordItems(sql, [
    { ...originOf(command), kind: "event_stream", key: itemKey(id), present: true, data, adds: true },
  ]);
};

const get: OutcomeEffect = async (sql, command) => {
  if (command.response === undefined) return;
  const { constantStreamData = [] } = command.response as ResponsePayload<"2.1", "GetPeriodicEventStream">;
  const origin = originOf(command);
  await recordItems(
    sql,
    constantStreamData.map((stream) => streamItem(origin, stream)),
  );
  // The answer names all that are open.
  const except = constantStreamData.map(({ id }) => itemKey(id));
  await clearItems(sql, { ...origin, kind: "event_stream", except });
};

/** What commands about event streams come to, by action. */
export const EVENT_STREAM_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["AdjustPeriodicEventStream", adjust],
  ["GetPeriodicEventStream", get],
];
