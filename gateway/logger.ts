import { pino, type Logger } from "pino";

/** JSON lines on stdout. Secrets never reach it: call sites name the facts they log, and none logs headers or payloads. */
export function createLogger(level: string, nodeId: string): Logger {
  return pino({
    level,
    base: { process: "gateway", node: nodeId },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
  });
}
