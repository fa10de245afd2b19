// The only file that knows OpenTelemetry's packages. Loaded when tracing is switched on: tracing.ts.

import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { readTraceparent, writeTraceparent } from "../trace-context.ts";
import type { SpanRecorder, TracingDeps } from "./tracing.ts";
import type { TracingSettings } from "./tracing-settings.ts";

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** Records every span that it is asked for, and sends them in batches. What cannot be sent is dropped. */
export function recordSpans(settings: TracingSettings, deps: TracingDeps): SpanRecorder {
  const exporter = new OTLPTraceExporter({
    url: settings.url,
    headers: settings.headers,
    timeoutMillis: settings.timeoutMs,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": settings.serviceName ?? `dynamo-csms-${deps.processName}`,
      ...settings.resource,
      "dynamo.process": deps.processName,
      ...deps.facts,
    }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: tellingProblems(exporter, deps.onProblem),
        scheduledDelayMillis: settings.batch.delayMs,
        maxQueueSize: settings.batch.maxQueue,
        maxExportBatchSize: settings.batch.maxBatch,
        exportTimeoutMillis: settings.timeoutMs,
      }),
    ],
  });
  const tracer = provider.getTracer("dynamo-csms");
  return {
    start({ name, kind, parent, attributes = {} }) {
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, contextOf(parent));
      const { traceId, spanId } = span.spanContext();
      return {
        traceId,
        traceparent: writeTraceparent({ traceId, spanId, sampled: true }),
        set: (more) => void span.setAttributes(more),
        end(problem) {
          if (!span.isRecording()) return;
          if (problem !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: problem });
          span.end();
        },
      };
    },
    stop: () => provider.shutdown().catch((cause: Error) => deps.onProblem(cause.message)),
  };
}

function contextOf(parent: string | undefined): Context {
  const read = parent === undefined ? undefined : readTraceparent(parent);
  if (read === undefined) return ROOT_CONTEXT;
  const { traceId, spanId } = read;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
}

/** A collector that is away must not fill the log: told when it begins. */
function tellingProblems(exporter: SpanExporter, onProblem: (problem: string) => void): SpanExporter {
  let failing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const { code, error } = result;
        if (code !== 0 && !failing) onProblem(error?.message ?? "unknown reason");
        failing = code !== 0;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
