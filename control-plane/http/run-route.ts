import type { Request } from "express";
import { sourceOf } from "@dynamo-csms/proto/source-address";
import { audited } from "../audit/audited-request.ts";
import type { Logger } from "pino";
import { answersJson } from "./every-routes-problems.ts";
import { authenticate, type AuthenticateDeps } from "./authenticate.ts";
import { inQuery } from "./field-errors.ts";
import { type IdempotencyDeps, type KeyedReply, oncePerKey } from "./idempotency.ts";
import { toProblemReply } from "./problem-document.ts";
import { ProblemError } from "./problems.ts";
import type { RateLimits } from "./rate-limits.ts";
import { type BodyLimits, parseJsonBody, readBody } from "./read-body.ts";
import type { Caller, JsonReply, RawReply, Route } from "./route.ts";
import type { RequestValidator } from "./validate-request.ts";

export interface RouteRunnerDeps extends AuthenticateDeps, Omit<IdempotencyDeps, "log"> {
  validator: RequestValidator;
  rateLimits: RateLimits;
  bodyLimits: BodyLimits;
  publicApiUrl: string;
}

export interface RouteContext {
  requestId: string;
  log: Logger;
  /** Aborted when the client goes away, and when this process stops: whoever waits answers with what there is. */
  signal: AbortSignal;
}

/**
 * One request through one route: who → how often → what (query, body) → once per Idempotency-Key → the handler.
 * Never rejects: whatever is thrown on the way becomes a problem.
 */
export async function runRoute(
  route: Route,
  request: Request,
  context: RouteContext,
  deps: RouteRunnerDeps,
): Promise<JsonReply | RawReply> {
  const toProblem = (thrown: unknown) => toProblemReply(thrown, { ...context, publicApiUrl: deps.publicApiUrl });
  let headers: Record<string, string> = {};
  try {
    const caller = await authenticate(deps, route.access, {
      authorization: request.get("authorization"),
      apiKey: request.get("x-api-key"),
    });
    const remoteAddress = request.ip ?? "";
    const counted = countedBy(route, caller) ?? `address:${sourceOf(remoteAddress)}`;
    headers = await deps.rateLimits.consume(route.rateLimit, counted);

    if (answersJson(route) && request.accepts("application/json", "application/problem+json") === false)
      throw new ProblemError("not_acceptable", "This endpoint answers with application/json.");
    const params = parseParams(route, request);
    const query = parseQuery(route, request, deps.validator);
    const raw = hasBody(route) ? await readBody(request, deps.bodyLimits) : Buffer.alloc(0);
    const body = hasBody(route) ? parseBody(route, raw, request.get("content-type"), deps.validator) : undefined;

    const more = (route.countsAs?.(body) ?? 1) - 1;
    if (more > 0) headers = await deps.rateLimits.consume(route.rateLimit, counted, more);

    const { requestId, signal, log } = context;
    let mayHaveChanged = false;
    const run = (recorded = () => Promise.resolve()) => {
      mayHaveChanged = route.readsAhead !== true;
      return route.handle({
        caller,
        params,
        query,
        body,
        requestId,
        remoteAddress,
        headOnly: request.method === "HEAD",
        header: (name) => request.get(name),
        signal,
        async recorded() {
          await recorded();
          mayHaveChanged = true;
        },
      });
    };
    // Inside what an Idempotency-Key repeats: a replayed answer is no action.
    const handle = () =>
      request.method === "HEAD"
        ? run()
        : audited({ route, caller, params, body, requestId, remoteAddress }, run, { sql: deps.sql, log });
    const key = request.get("idempotency-key");
    if (!route.idempotent || key === undefined) return withHeaders(await handle(), headers);

    if (!/^[\x21-\x7e]{1,255}$/.test(key))
      throw new ProblemError("validation_failed", "The Idempotency-Key cannot be used.", {
        errors: [
          {
            pointer: "header:Idempotency-Key",
            code: "wrong_format",
            detail: "must be 1 to 255 visible ASCII characters, such as a UUID",
          },
        ],
      });
    const identified = {
      caller: nameOf(caller) ?? "public",
      key,
      method: request.method,
      path: request.path,
      body: raw,
    };
    const once = async (): Promise<KeyedReply> => {
      try {
        return { reply: requireJson(await handle()), inDoubt: false };
      } catch (thrown) {
        // The handler's own refusals are answers, kept like the others: they say that nothing was done. A fault does not.
        return { reply: toProblem(thrown), inDoubt: mayHaveChanged && !(thrown instanceof ProblemError) };
      }
    };
    return withHeaders(await oncePerKey({ ...deps, log: context.log }, identified, once), headers);
  } catch (thrown) {
    return withHeaders(toProblem(thrown), headers);
  }
}

/** Commands are an organisation's: more keys are not more commands. Everything else is a caller's own. */
const countedBy = (route: Route, caller: Caller): string | undefined =>
  route.rateLimit === "command" && caller.kind === "organization" ? caller.orgId : nameOf(caller);

/** Who calls; undefined for those who did not say. */
function nameOf(caller: Caller): string | undefined {
  switch (caller.kind) {
    case "installer":
      return caller.installerId;
    case "organization":
      return caller.keyId;
    case "public":
      return undefined;
  }
}

const hasBody = (route: Route) => route.method !== "get";

/** Postgres can neither store nor compare U+0000, and no id or parameter of ours holds one. */
const hasNul = (texts: readonly unknown[]) => texts.flat().some((text) => String(text).includes("\u0000"));

/** An id that does not even have the form of one is simply not found. */
function parseParams(route: Route, request: Request): unknown {
  if (route.params === undefined) return undefined;
  const parsed = route.params.safeParse(request.params);
  if (parsed.success && !hasNul(Object.values(request.params))) return parsed.data;
  throw new ProblemError("not_found", "There is nothing at this address.");
}

function parseQuery(route: Route, request: Request, validator: RequestValidator): unknown {
  const given: Record<string, string | string[]> = {};
  for (const [name, value] of new URL(request.originalUrl, "http://localhost").searchParams) {
    const known = Object.hasOwn(given, name) ? given[name] : undefined;
    // Not assigned by name: `__proto__` is a name too.
    Object.defineProperty(given, name, {
      value: known === undefined ? value : [known, value].flat(),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  if (route.query === undefined) {
    const [first] = Object.keys(given);
    if (first === undefined) return undefined;
    throw new ProblemError(
      "unknown_query_parameter",
      `\`${first.slice(0, 100)}\` is not known; this endpoint has no query parameters.`,
    );
  }
  const checked = validator.query(route.query, given);
  const [nul] = Object.entries(given).find(([, value]) => hasNul([value])) ?? [];
  if (checked.ok && nul !== undefined) {
    const error = { pointer: inQuery([nul]), code: "wrong_format", detail: "holds a NUL character" };
    throw new ProblemError("validation_failed", "A query parameter does not fit.", { errors: [error] });
  }
  if (checked.ok) return checked.value;
  const unknown = checked.error.filter((error) => error.code === "unknown_field");
  if (unknown.length > 0)
    throw new ProblemError("unknown_query_parameter", "A query parameter is not known.", { errors: unknown });
  throw new ProblemError("validation_failed", "A query parameter does not fit.", { errors: checked.error });
}

function parseBody(route: Route, raw: Buffer, contentType: string | undefined, validator: RequestValidator): unknown {
  const value = parseJsonBody(raw, contentType);
  if (route.body === undefined) {
    if (raw.length === 0 || (typeof value === "object" && value !== null && Object.keys(value).length === 0))
      return undefined;
    throw new ProblemError("validation_failed", "This endpoint takes no body.", {
      errors: [{ pointer: "", code: "unknown_field", detail: "send no body, or {}" }],
    });
  }
  const checked = validator.body(route.body, value);
  if (checked.ok) return checked.value;
  const [first] = checked.error;
  const more = checked.error.length > 1 ? `, and ${checked.error.length - 1} more` : "";
  throw new ProblemError(
    "validation_failed",
    first === undefined
      ? "The body does not fit its schema."
      : `${first.pointer || "The body"}: ${first.detail}${more}`,
    {
      errors: checked.error,
    },
  );
}

function requireJson(reply: JsonReply | RawReply): JsonReply {
  if ("raw" in reply) throw new Error("an idempotent route answers with JSON");
  return reply;
}

const withHeaders = <R extends JsonReply | RawReply>(reply: R, headers: Record<string, string>): R => ({
  ...reply,
  headers: { ...headers, ...reply.headers },
});
