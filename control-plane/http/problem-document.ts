import type { Logger } from "pino";
import { isOutage } from "./outage.ts";
import { ProblemError, PROBLEMS } from "./problems.ts";
import type { JsonReply } from "./route.ts";

export interface ProblemContext {
  requestId: string;
  publicApiUrl: string;
  /** Names the request already. */
  log: Logger;
}

/**
 * The one place that writes application/problem+json (RFC 9457). Whatever was thrown becomes a problem: what a route
 * refused as it is, an absent Postgres or Redis as 503, everything else as 500 with nothing of the fault in it.
 */
export function toProblemReply(thrown: unknown, context: ProblemContext): JsonReply {
  const error = asProblem(thrown, context.log);
  const { status, title, remedy } = PROBLEMS[error.problem];
  const { extras } = error;
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      ...(extras.retryAfterSeconds === undefined ? {} : { "retry-after": String(extras.retryAfterSeconds) }),
      ...extras.headers,
    },
    body: {
      ...extras.members,
      type: `${context.publicApiUrl}/docs/problems/${error.problem}`,
      title,
      status,
      detail: error.message,
      instance: `urn:dynamo:request:${context.requestId}`,
      code: error.problem,
      request_id: context.requestId,
      remedy: extras.remedy ?? remedy,
      ...(extras.errors === undefined ? {} : { errors: extras.errors }),
    },
  };
}

function asProblem(thrown: unknown, log: Logger): ProblemError {
  if (thrown instanceof ProblemError) return thrown;
  if (isOutage(thrown)) {
    log.warn({ error: thrown }, "request failed: a server is away");
    return new ProblemError("unavailable", "A part of the service is away for the moment. Nothing is lost.", {
      retryAfterSeconds: 5,
    });
  }
  log.error({ error: thrown }, "request failed");
  return new ProblemError("internal", "The request could not be carried out because of a fault on our side.");
}
