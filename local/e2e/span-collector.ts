import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface CollectedSpan {
  service: string;
  node: string | undefined;
  name: string;
  traceId: string;
  spanId: string;
  /** "": it begins the trace. */
  parentSpanId: string;
  attributes: Record<string, unknown>;
  failed: boolean;
}

export interface SpanCollector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string;
  spans: CollectedSpan[];
  close(): Promise<void>;
}

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}
interface Export {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: {
      spans: (Omit<CollectedSpan, "attributes"> & { attributes: Attribute[]; status?: { code?: number } })[];
    }[];
  }[];
}

/** Takes what OTLP over HTTP with JSON brings (POST /v1/traces), as a collector does. */
export async function startSpanCollector(): Promise<SpanCollector> {
  const spans: CollectedSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const isTraces = request.method === "POST" && request.url === "/v1/traces";
      if (isTraces) spans.push(...spansOf(JSON.parse(Buffer.concat(chunks).toString("utf8")) as Export));
      response.writeHead(isTraces ? 200 : 404, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const factsOf = (attributes: Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

function spansOf({ resourceSpans }: Export): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const facts = factsOf(resource.attributes);
    return scopeSpans.flatMap((scope) =>
      scope.spans.map(({ name, traceId, spanId, parentSpanId, attributes, status }) => ({
        service: String(facts["service.name"]),
        node: facts["node"] as string | undefined,
        name,
        traceId,
        spanId,
        parentSpanId: parentSpanId ?? "",
        attributes: factsOf(attributes),
        failed: status?.code === 2,
      })),
    );
  });
}
