import { type DestinationStream, type Logger, pino } from "pino";

/**
 * Names under which a secret might be logged by mistake. Call sites log chosen facts, never whole requests; this is the
 * second wall.
 */
const SECRET_FIELDS = [
  "password",
  "provisioning_password",
  "access_token",
  "token",
  "api_key",
  "key",
  "secret",
  "authorization",
  "cookie",
];

/** JSON lines on stdout, each with the name of the process. */
export function createLogger(level: string, processName: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { process: processName },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: "[redacted]" },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
