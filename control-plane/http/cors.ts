import type { RequestHandler } from "express";

const EXPOSED = "RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, Idempotent-Replayed, Location, ETag";

/**
 * CORS for the listed origins alone; for everyone else nothing is said, and browsers keep to the same origin.
 * No cookies are in use, so credentials are never allowed.
 */
export function cors(allowedOrigins: ReadonlySet<string>): RequestHandler {
  return (request, response, next) => {
    const origin = request.get("origin");
    if (allowedOrigins.size > 0) response.vary("Origin");
    if (origin === undefined || !allowedOrigins.has(origin)) return next();
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", EXPOSED);
    if (request.method !== "OPTIONS" || request.get("access-control-request-method") === undefined) return next();
    response.setHeader("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
    response.setHeader(
      "access-control-allow-headers",
      "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-API-Key, X-Request-Id",
    );
    response.setHeader("access-control-max-age", "600");
    response.status(204).end();
  };
}
