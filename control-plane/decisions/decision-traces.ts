import type { StationCall } from "@dynamo-csms/proto/generated/station_decisions";
import type { Span, Tracing } from "@dynamo-csms/proto/process/tracing";
import type { Sql } from "../database.ts";
import type { EventTraces } from "../webhooks/event-traces.ts";

/** Goes on with the traces of CALLs that are decided here. */
export interface DecisionTraces {
  /** Undefined: the CALL is part of none. */
  begin(call: StationCall): Span | undefined;
  /** The same SQL; the events that are recorded on it belong to the traces of these CALLs. */
  watch(sql: Sql, calls: readonly StationCall[]): Sql;
}

export function createDecisionTraces({
  tracing,
  events,
}: {
  tracing: Tracing;
  events: Pick<EventTraces, "keep">;
}): DecisionTraces {
  return {
    begin({ traceparent, action, identity, epoch, seq }) {
      // Gateways ask of actions that they know.
      const attributes = { station: identity, epoch, seq };
      return tracing.follow(traceparent, { name: `decide ${action}`, kind: "server", attributes });
    },
    watch(sql, calls) {
      const traced = calls.flatMap(({ identity, receivedAtMs, traceparent }) =>
        traceparent === undefined
          ? []
          : [
              {
                identity,
                receivedAtMs,
                traceparent,
                only: calls.filter((call) => call.identity === identity).length === 1,
              },
            ],
      );
      return traced.length === 0 ? sql : { ...sql, eventsRecorded: (recorded) => events.keep(recorded, traced) };
    },
  };
}
