import type { Sql } from "../database.ts";
import { idFor, newId } from "../ids.ts";
import type { EventData, EventType } from "./event-catalog.ts";

/** The durable work that turns events into deliveries. */
export const FAN_OUT_WORK = "webhook-fan-out";

/** Something that happened and that the organisation may hear about. */
export type DomainEvent = {
  [T in EventType]: {
    orgId: string;
    type: T;
    data: EventData<T>;
    /** Default: the database's now(). */
    occurredAt?: Date;
    /** When the message came that it tells of, where that is not `occurredAt`: by it the message's trace is found. */
    receivedAt?: Date;
    /**
     * What the event is about, where a Postgres that lost its last commits will record it again: beginning with an id, and
     * the same event of this type then. It has the same `webhook-id`, by which receivers know it.
     */
    key?: readonly (string | number)[];
  };
}[EventType];

/**
 * Writes an event into the outbox, in the caller's transaction: it goes out exactly when what happened is committed.
 * Calling it twice makes two events (without a key), so call it where the state changes (under the row's lock), not where it is read.
 * @returns the event's id, the `webhook-id` of all its deliveries. Wake FAN_OUT_WORK with it after the commit; forgotten, the sweeper finds it.
 */
export async function recordEvent(sql: Sql, event: DomainEvent): Promise<string> {
  const [id] = await recordEvents(sql, [event]);
  return id as string;
}

/** `recordEvent` for many at once, in one statement: for the intake's batches. Ids come in the order of the events. */
export async function recordEvents(sql: Sql, events: readonly DomainEvent[]): Promise<string[]> {
  if (events.length === 0) return [];
  const ids = events.map(({ type, key }) => (key === undefined ? newId("evt") : idFor("evt", ...key, type)));
  await sql.query(
    `insert into events (id, org_id, type, data, occurred_at)
     select id, org_id, type, data, coalesce(occurred_at, now())
     from unnest($1::text[], $2::text[], $3::text[], $4::json[], $5::timestamptz[]) as e (id, org_id, type, data, occurred_at)
     on conflict (id) do nothing`,
    [
      ids,
      events.map((event) => event.orgId),
      events.map((event) => event.type),
      events.map((event) => JSON.stringify(event.data)),
      events.map((event) => event.occurredAt?.toISOString() ?? null),
    ],
  );
  sql.eventsRecorded?.(
    events.map(({ data, occurredAt, receivedAt = occurredAt }, index) => ({
      id: ids[index] as string,
      data,
      receivedAt,
    })),
  );
  return ids;
}
