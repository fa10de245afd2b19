import type { ConfigReader } from "../config-reader.ts";

/** Bounds of live message streams: each asks Postgres twice a second. */
export interface StreamSettings {
  /** Open at the same time in one process. */
  perProcess: number;
  perOrganization: number;
  /** A stream ends after this; who still watches comes back with Last-Event-ID. */
  longestMs: number;
}

/** Reads MESSAGE_STREAMS, MESSAGE_STREAMS_PER_ORGANIZATION and MESSAGE_STREAM_SECONDS. */
export const readStreamSettings = (read: ConfigReader): StreamSettings => ({
  perProcess: read.integer("MESSAGE_STREAMS", 100, 1, 10_000),
  perOrganization: read.integer("MESSAGE_STREAMS_PER_ORGANIZATION", 10, 1, 10_000),
  longestMs: read.integer("MESSAGE_STREAM_SECONDS", 600, 1, 600) * 1_000,
});
