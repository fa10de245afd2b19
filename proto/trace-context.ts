// The W3C Trace Context as it travels: in REST requests, command messages, questions to decisions, lane events and webhooks.

export interface TraceContext {
  /** 32 and 16 lower-case hexadecimal digits, not all zero. */
  traceId: string;
  spanId: string;
  sampled: boolean;
}

// A later version may have more behind a dash (Trace Context §3.2.3); ff is none.
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Reads a `traceparent` (Trace Context §3.2). Undefined: it is none, so there is no trace to go on with. */
export function readTraceparent(text: unknown): TraceContext | undefined {
  if (typeof text !== "string" || text.length > 512) return undefined;
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags as string, 16) & 1) === 1 };
}

/** The `traceparent` of version 00. */
export const writeTraceparent = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
