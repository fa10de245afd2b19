import { type DestinationStream, type Logger, pino } from "pino";

/** From the most to say to the least. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Names under which a secret might be logged by mistake. Call sites log chosen facts, never whole requests, headers or
 * payloads; this is the second wall.
 */
const SECRET_FIELDS = [
  "password",
  "provisioning_password",
  "provisioningPassword",
  "access_token",
  "accessToken",
  "refresh_token",
  "refreshToken",
  "token",
  "api_key",
  "apiKey",
  "key",
  "secret",
  "authorization",
  "cookie",
  "idTag",
  "idToken",
];

export interface LoggerOptions {
  facts?: Record<string, string>;
  destination?: DestinationStream;
  /** The trace that whoever logs is part of (tracing.ts). Asked for each line; absent: there are no traces. */
  traceId?(): string | undefined;
}

/**
 * JSON lines on stdout. Every line has the name of its process and `facts` (a gateway's node); an Error belongs in the
 * field `error`.
 */
export function createLogger(
  level: LogLevel,
  processName: string,
  { facts = {}, destination, traceId }: LoggerOptions = {},
): Logger {
  const options = {
    level,
    base: { process: processName, ...facts },
    timestamp: pino.stdTimeFunctions.isoTime,
    errorKey: "error",
    serializers: { error: errorFacts, err: errorFacts },
    redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: "[redacted]" },
    ...(traceId && { mixin: () => traceFacts(traceId()) }),
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

const traceFacts = (traceId: string | undefined): object => (traceId === undefined ? {} : { trace_id: traceId });

/**
 * What is told of an Error: chosen fields, because clients of Redis, Postgres and HTTP hang what they were sent (commands
 * with their arguments, rows, headers) on theirs. Anything else (a message alone) is told as it is.
 */
function errorFacts(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: errorFacts(error.cause) } : {}),
  };
}
