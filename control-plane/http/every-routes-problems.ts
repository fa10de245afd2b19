import type { ProblemName } from "./problems.ts";
import type { Route } from "./route.ts";

/** True when JSON is all that this route has for a caller: one who wants something else is refused. */
export function answersJson({ responses }: Route): boolean {
  const good = Object.entries(responses).filter(([status]) => status.startsWith("2"));
  return (
    good.some(([, { schema }]) => schema !== undefined) &&
    good.every(([, { contentType }]) => contentType === undefined)
  );
}

/** What every route can answer, by what it is. */
export function everyRoutesProblems(route: Route): ProblemName[] {
  return [
    "unknown_query_parameter",
    ...(route.access.kind === "public" ? [] : (["unauthenticated", "wrong_caller"] as const)),
    ...(route.access.kind === "installer" ? (["invalid_token", "expired_token", "session_ended"] as const) : []),
    ...(route.access.kind === "organization" ? (["invalid_api_key", "missing_scope"] as const) : []),
    ...(answersJson(route) ? (["not_acceptable"] as const) : []),
    // A route without a body says so when it gets one.
    ...(route.method === "get"
      ? []
      : (["bad_json", "request_timeout", "body_too_large", "unsupported_media_type", "validation_failed"] as const)),
    ...(route.query === undefined ? [] : (["validation_failed"] as const)),
    ...(route.idempotent ? (["idempotency_running", "idempotency_unknown", "idempotency_mismatch"] as const) : []),
    "rate_limited",
    "internal",
    "unavailable",
  ];
}
