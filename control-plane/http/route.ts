import type { z } from "zod";
import type { ProblemError, ProblemName } from "./problems.ts";

/** What an API key may do. `*` is not a scope: a key lists what it needs. */
export const SCOPES = [
  "read:projects",
  "write:projects",
  "read:charge_points",
  "write:charge_points",
  "read:sessions",
  "read:messages",
  "write:webhooks",
  "read:webhooks",
  "read:api_keys",
  "write:api_keys",
  "read:id_tokens",
  "write:id_tokens",
  "read:audit_log",
  "write:personal_data",
] as const;
export type Scope = (typeof SCOPES)[number];

/** Who may call a route. There is no default: a route without a policy does not compile. */
export type Access =
  | { kind: "public" }
  /** A signed-in installer (access token). */
  | { kind: "installer" }
  /** An organisation's API key with this scope. */
  | { kind: "organization"; scope: Scope };

export type Caller =
  /** Nobody in particular. `refused`: credentials came along and were bad; a route that can use them throws it. */
  | { kind: "public"; refused?: ProblemError }
  | { kind: "installer"; installerId: string; tokenId: string; tokenExpiresAt: Date }
  | { kind: "organization"; orgId: string; keyId: string; scopes: readonly Scope[] };

type CallerFor<A extends Access> = A extends { kind: "installer" }
  ? Extract<Caller, { kind: "installer" }>
  : A extends { kind: "organization" }
    ? Extract<Caller, { kind: "organization" }>
    : Caller;

/** Rate limit buckets; what each allows is configuration (rate-limits.ts). */
export type RateLimitBucket = "login" | "signup" | "mail" | "read" | "write" | "command";

type Parsed<S extends z.ZodType | undefined> = S extends z.ZodType ? z.output<S> : undefined;

export interface RouteRequest<
  A extends Access,
  P extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  B extends z.ZodType | undefined,
> {
  caller: CallerFor<A>;
  params: Parsed<P>;
  query: Parsed<Q>;
  body: Parsed<B>;
  requestId: string;
  remoteAddress: string;
  /** HEAD instead of GET: the body is not sent, and nothing may be changed. */
  headOnly: boolean;
  /** Request headers, lower-case names; for ETags, Accept, Last-Event-ID. */
  header(name: string): string | undefined;
  /** Aborted when the client goes away, and when this process stops: whoever waits answers with what there is. */
  signal: AbortSignal;
  /** Resolves when the request is in the audit log, and rejects when it cannot be written there. */
  recorded(): Promise<void>;
}

export interface JsonReply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Anything but JSON: a PDF, a page, Server-Sent Events. `write` owns the response until its promise settles. */
export interface RawReply {
  status: number;
  headers: Record<string, string>;
  raw: Buffer | string | ((sink: { write(chunk: string): boolean; closed: AbortSignal }) => Promise<void>);
}

export interface ResponseDoc {
  description: string;
  schema?: z.ZodType;
  /** Of an answer that is not JSON; of one that is, the other type that it can be had in. */
  contentType?: string;
  /** Headers that this answer has beside those of every answer. */
  headers?: readonly ("Location" | "ETag")[];
  /** An example answer, validated against the schema by a test. */
  example?: unknown;
}

export interface RouteDefinition<
  A extends Access,
  P extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  B extends z.ZodType | undefined,
> {
  method: "get" | "post" | "patch" | "put" | "delete";
  /** OpenAPI form: `/api/v1/projects/{project_id}`. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  tag: string;
  access: A;
  rateLimit: RateLimitBucket;
  /** For bodies that stand for many requests: how many this one is counted as. Default: 1. */
  countsAs?(body: Parsed<B>): number;
  /** POSTs that create or act take an Idempotency-Key. */
  idempotent?: boolean;
  /** Whether calls stand in the audit log. Default: all but GETs. */
  audited?: boolean;
  /**
   * The handler runs while its entry is written into the audit log, and awaits `recorded` before it changes anything: for
   * calls whose caller waits for every millisecond. Default: it runs behind it.
   */
  readsAhead?: boolean;
  params?: P;
  query?: Q;
  body?: B;
  /** An example body, validated against the schema by a test. */
  bodyExample?: unknown;
  responses: Record<number, ResponseDoc>;
  /** The refusals of this route beyond those every route can give. */
  problems?: readonly ProblemName[];
  handle(request: RouteRequest<A, P, Q, B>): Promise<JsonReply | RawReply>;
}

/** A route as the server and the OpenAPI document see it: its types checked where it was defined. */
export type Route = RouteDefinition<Access, z.ZodType | undefined, z.ZodType | undefined, z.ZodType | undefined>;

/**
 * Defines one route: its schemas validate the request, type the handler and make the OpenAPI document.
 * Bodies and queries are declared with `z.strictObject`: unknown names are refused by name.
 */
export function defineRoute<
  const A extends Access,
  P extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
>(definition: RouteDefinition<A, P, Q, B>): Route {
  // The server hands each handler what its own schemas made, so the narrower request type holds.
  return definition as unknown as Route;
}
