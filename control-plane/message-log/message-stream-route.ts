import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { z } from "zod";
import type { Sql } from "../database.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { newestPlace, readPlace } from "./message-tail.ts";
import { messageView } from "./message-view.ts";
import { streamMessages } from "./stream-messages.ts";
import type { StreamSettings } from "./stream-settings.ts";

export interface MessageStreamDeps {
  sql: Sql;
  streams: StreamSettings;
  /** Throws ProblemError for a station that the organisation does not have. */
  findStation(orgId: string, chargePointId: string): Promise<{ id: string; version: OcppVersion }>;
}

/** Worth another try: others' streams end by themselves. */
const RETRY_AFTER_SECONDS = 30;

/** A charge point's frames while they come. */
export function messageStreamRoute({ sql, streams, findStation }: MessageStreamDeps): Route {
  const slots = createSlots(streams);
  return defineRoute({
    method: "get",
    path: "/api/v1/charge-points/{charge_point_id}/messages/stream",
    operationId: "streamMessages",
    summary: "Watch the OCPP frames of a charge point as Server-Sent Events",
    description: `Events are called \`message\`, their data is an OcppMessage. It begins with the next frame, or behind the Last-Event-ID (of the last hour), and ends after ${streams.longestMs / 1_000} s with an event \`end\`: open it again to go on. Frames of an earlier connection that are filed late are in the list alone.`,
    tag: "Charge points",
    access: { kind: "organization", scope: "read:messages" },
    rateLimit: "read",
    params: z.strictObject({ charge_point_id: z.string() }),
    responses: { 200: { description: "The stream", contentType: "text/event-stream" } },
    problems: ["charge_point_not_found", "rate_limited"],
    async handle({ caller, params, header, headOnly, signal }) {
      const station = await findStation(caller.orgId, params.charge_point_id);
      const place = readPlace(header("last-event-id")) ?? (await newestPlace(sql, station.id));
      const release = headOnly ? () => {} : slots.take(caller.orgId);
      if (release === undefined)
        throw new ProblemError("rate_limited", "Too many message streams are open.", {
          remedy: "Close one, or wait: each ends by itself.",
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      // The answer may never be written: the client's leaving gives the place back as well.
      signal.addEventListener("abort", release, { once: true });
      if (signal.aborted) release();
      return {
        status: 200,
        headers: {
          "content-type": "text/event-stream; charset=utf-8",
          "cache-control": "no-cache, no-transform",
          "x-accel-buffering": "no",
        },
        raw: (sink) =>
          streamMessages({
            sql,
            stationId: station.id,
            keyId: caller.keyId,
            from: place,
            longestMs: streams.longestMs,
            show: (row) => messageView(row, station.version, caller.scopes),
            sink,
          }).finally(release),
      };
    },
  });
}

/** How many streams are open, in this process and of each organisation. */
function createSlots({ perProcess, perOrganization }: StreamSettings) {
  const open = new Map<string, number>();
  let all = 0;
  return {
    /** @returns what gives the place back, once however often it is called; undefined when there is none. */
    take(orgId: string): (() => void) | undefined {
      const own = open.get(orgId) ?? 0;
      if (all >= perProcess || own >= perOrganization) return undefined;
      all += 1;
      open.set(orgId, own + 1);
      let taken = true;
      return () => {
        if (!taken) return;
        taken = false;
        all -= 1;
        const left = (open.get(orgId) ?? 1) - 1;
        if (left === 0) open.delete(orgId);
        else open.set(orgId, left);
      };
    },
  };
}
