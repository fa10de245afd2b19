import type { Span, Tracing } from "@dynamo-csms/proto/process/tracing";
import type { ClaimedDelivery } from "./claim-delivery.ts";
import type { AttemptOutcome } from "./delivery-outcome.ts";
import type { EventTraces } from "./event-traces.ts";

/** An attempt as the last part of the trace in which its event was recorded. */
export interface DeliveryTraces {
  /** Undefined: the event is part of no trace. Never rejects. */
  begin(delivery: ClaimedDelivery): Promise<Span | undefined>;
  end(span: Span | undefined, outcome: AttemptOutcome): void;
}

export function createDeliveryTraces(deps: { tracing: Tracing; events: Pick<EventTraces, "find"> }): DeliveryTraces {
  return {
    async begin({ id, eventId, type, attempts }) {
      return deps.tracing.follow(await deps.events.find(eventId), {
        name: `deliver ${type}`,
        kind: "client",
        attributes: { event_id: eventId, delivery_id: id, attempt: attempts },
      });
    },
    end(span, { kind, statusCode }) {
      span?.set({ outcome: kind, ...(statusCode === undefined ? {} : { "http.response.status_code": statusCode }) });
      span?.end(kind === "delivered" ? undefined : kind);
    },
  };
}
