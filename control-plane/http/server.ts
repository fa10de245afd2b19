import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from "express";
import type { Logger } from "pino";
import type { Span, Tracing } from "@dynamo-csms/proto/process/tracing";
import { cors } from "./cors.ts";
import type { HttpMetrics } from "./http-metrics.ts";
import { toProblemReply } from "./problem-document.ts";
import { ProblemError } from "./problems.ts";
import { requestIdOf } from "./request-id.ts";
import type { JsonReply, RawReply, Route } from "./route.ts";
import { runRoute, type RouteRunnerDeps } from "./run-route.ts";
import { discardRest, writeReply } from "./write-reply.ts";

export interface HttpServerDeps extends RouteRunnerDeps {
  routes: readonly Route[];
  metrics: HttpMetrics;
  log: Logger;
  /** Whose X-Forwarded-For is believed: addresses, networks, or names such as `loopback`. */
  trustedProxies: readonly string[];
  corsOrigins: ReadonlySet<string>;
  tracing?: Tracing | undefined;
}

export interface HttpServer {
  /** Resolves to the port, which differs from the wanted one when that is 0. */
  listen(port: number, host: string): Promise<number>;
  /** No new connections; requests under way are answered, streams are told to end. Resolves when all are gone. */
  close(): Promise<void>;
}

/** Not for the docs pages, which set their own Content-Security-Policy. */
const SECURITY_HEADERS: Record<string, string> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "strict-transport-security": "max-age=31536000; includeSubDomains",
};

/** Requests whose head takes longer are cut by Node itself: 408 without a document. */
const HEAD_DEADLINE_MS = 15_000;

/** The REST edge: every route behind the same door (run-route.ts), and one form of refusal for what is no route. */
export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const stopping = new AbortController();
  const server = createServer(
    { headersTimeout: HEAD_DEADLINE_MS, requestTimeout: 60_000, keepAliveTimeout: 65_000 },
    buildApp(deps, stopping.signal),
  );
  // Node does not count them as idle: clients open connections ahead, and a stop would wait for their time-out.
  const unused = new Set<Socket>();
  server.on("connection", (socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  server.on("request", (request) => unused.delete(request.socket));
  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
      }),
    close: () => closeServer(server, stopping, unused),
  };
}

const IDLE_LOOK_MS = 50;

function closeServer(server: Server, stopping: AbortController, unused: ReadonlySet<Socket>): Promise<void> {
  stopping.abort();
  return new Promise((resolve) => {
    // A connection whose answer was still under way falls idle later, and would be kept alive for another minute.
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS);
    server.close(() => {
      clearInterval(idle);
      resolve();
    });
    server.closeIdleConnections();
    for (const socket of unused) socket.destroy();
  });
}

function buildApp(deps: HttpServerDeps, stopping: AbortSignal): Express {
  const app = express();
  app.disable("x-powered-by").disable("etag").enable("case sensitive routing");
  app.set("trust proxy", deps.trustedProxies.length === 0 ? false : [...deps.trustedProxies]);
  // Queries are read by run-route.ts, from the URL as it came.
  app.set("query parser", false);
  app.use((request, response, next) => {
    const requestId = requestIdOf(request.get("x-request-id"));
    response.locals["requestId"] = requestId;
    response.setHeader("x-request-id", requestId);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    next();
  });
  app.use(cors(deps.corsOrigins));

  const byPath = Map.groupBy(deps.routes, (route) => route.path);
  for (const [path, routes] of byPath) {
    const pattern = path.replaceAll(/\{(\w+)\}/g, ":$1");
    for (const route of routes)
      app[route.method](pattern, (request, response) =>
        serve(request, response, path, deps, stopping, (context) => runRoute(route, request, context, deps)),
      );
    const allow = allowedMethods(routes);
    app.all(pattern, (request, response) =>
      serve(request, response, path, deps, stopping, async () => {
        throw new ProblemError("method_not_allowed", `${request.method} is not possible here.`, { headers: { allow } });
      }),
    );
  }
  app.use((request, response) =>
    serve(request, response, "none", deps, stopping, async () => {
      throw new ProblemError("not_found", "There is nothing at this address.");
    }),
  );
  // Only what Express itself cannot read ends here, such as a broken percent-encoding.
  const onUnreadable: ErrorRequestHandler = (_error, request, response, _next) =>
    serve(request, response, "none", deps, stopping, async () => {
      throw new ProblemError("not_found", "The address cannot be read.");
    });
  return app.use(onUnreadable);
}

const allowedMethods = (routes: readonly Route[]) =>
  routes.flatMap(({ method }) => (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()])).join(", ");

type Answer = (context: { requestId: string; log: Logger; signal: AbortSignal }) => Promise<JsonReply | RawReply>;

/** One request from head to log line. Never rejects. @param pattern the route's path, for metrics and log: a URL may hold a token. */
async function serve(
  request: Request,
  response: Response,
  pattern: string,
  deps: HttpServerDeps,
  stopping: AbortSignal,
  answer: Answer,
): Promise<void> {
  const startedMs = performance.now();
  const requestId = response.locals["requestId"] as string;
  const span = spanOf(request, pattern, requestId, deps.tracing);
  const log = deps.log.child({ request_id: requestId, ...(span && { trace_id: span.traceId }) });
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const work = () => answer({ requestId, log, signal: AbortSignal.any([gone.signal, stopping]) });
  const reply = await (span === undefined ? work() : (deps.tracing as Tracing).run(span, work)).catch(
    (thrown: unknown) => toProblemReply(thrown, { requestId, log, publicApiUrl: deps.publicApiUrl }),
  );
  try {
    await writeReply(request, response, reply, { gone: gone.signal, stopping });
  } catch (fault) {
    log.error({ error: fault }, "answer could not be written");
    response.destroy();
  }
  discardRest(request);
  span?.set({ "http.response.status_code": reply.status });
  span?.end(reply.status >= 500 ? "server error" : undefined);
  const seconds = (performance.now() - startedMs) / 1_000;
  deps.metrics.requestSeconds.observe({ method: request.method, route: pattern, status: reply.status }, seconds);
  if ("body" in reply && reply.status >= 400)
    deps.metrics.problems.inc({ code: String((reply.body as { code?: unknown }).code) });
  log.info(
    { method: request.method, route: pattern, status: reply.status, ms: Math.round(seconds * 1_000) },
    "request",
  );
}

/** The head of a trace, or where the caller's goes on (W3C Trace Context). Undefined: it is not recorded. */
function spanOf(request: Request, pattern: string, requestId: string, tracing: Tracing | undefined): Span | undefined {
  const parent = request.get("traceparent");
  if (tracing === undefined || !tracing.samples(parent)) return undefined;
  const { method } = request;
  const attributes = { "http.request.method": method, "http.route": pattern, request_id: requestId };
  return tracing.start({ name: `${method} ${pattern}`, kind: "server", parent, attributes });
}
