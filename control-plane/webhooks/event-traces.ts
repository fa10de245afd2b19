import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { EVENT_TRACE_SECONDS, eventTrace } from "@dynamo-csms/proto/redis-keys";
import type { Logger } from "pino";
import type { RecordedEvent } from "../database.ts";

/** Which trace an event of the webhooks is part of: between who records it and who delivers it, beside the database. */
export interface EventTraces {
  /**
   * Keeps for each event about one of these stations that it belongs to its trace. Best effort; not waited for, as it may be
   * inside a transaction.
   */
  keep(recorded: readonly RecordedEvent[], traced: readonly TracedStation[]): void;
  /** The event's `traceparent`, if there is one. Never rejects. */
  find(eventId: string): Promise<string | undefined>;
}

/** A frame of this station, in the trace that it is part of. */
export interface TracedStation {
  /** Case-folded. */
  identity: string;
  receivedAtMs: number;
  traceparent: string;
  /** Nothing else of this station is in the transaction. */
  only: boolean;
}

/** The frame that came when what the event tells of came, else the only one that it can be of; of others nobody knows. */
function traceOf({ data, receivedAt }: RecordedEvent, traced: readonly TracedStation[]): string | undefined {
  const about = stationOf(data);
  const candidates = traced.filter(({ identity }) => identity === about);
  const exact = candidates.find(({ receivedAtMs }) => receivedAtMs === receivedAt?.getTime());
  return (exact ?? candidates.find(({ only }) => only))?.traceparent;
}

/** A trace that is lost is one that nobody sees; an event never depends on it. */
export function createEventTraces({ redis, log }: { redis: RedisConnection; log: Logger }): EventTraces {
  function failed(error: unknown): undefined {
    log.debug({ error }, "trace of an event not kept or not found");
  }
  return {
    // The first word holds: what was decided is recorded again, under the same id, by the intake.
    keep(recorded, traced) {
      for (const event of recorded) {
        const traceparent = traceOf(event, traced);
        if (traceparent !== undefined)
          redis.set(eventTrace(event.id), traceparent, "EX", EVENT_TRACE_SECONDS, "NX").catch(failed);
      }
    },
    find: async (eventId) => (await redis.get(eventTrace(eventId)).catch(failed)) ?? undefined,
  };
}

/** Identities are the charge points' ids, case-folded. */
function stationOf(data: object): string | undefined {
  const { charge_point_id: id } = data as { charge_point_id?: unknown };
  return typeof id === "string" ? id.toLowerCase() : undefined;
}
