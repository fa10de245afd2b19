import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { seal, type SecretsKey, unseal } from "@dynamo-csms/proto/sealed-secret";
import type { Logger } from "pino";
import type { Sql } from "../database.ts";
import { ProblemError } from "./problems.ts";
import type { JsonReply } from "./route.ts";

export interface IdempotencyDeps {
  sql: Sql;
  secretsKey: SecretsKey;
  log: Logger;
}

export interface IdempotentRequest {
  /** Keys of different callers have nothing to do with each other. */
  caller: string;
  key: string;
  method: string;
  path: string;
  body: Buffer;
}

/** A request that has no answer for so long has probably lost its process. */
const ABANDONED_AFTER_SECONDS = 120;

/** Answers that say nothing of the request itself: the same key may try again. */
const NOT_KEPT = new Set([429, 500, 503]);

export interface KeyedReply {
  reply: JsonReply;
  /** It failed behind where it may have changed something: a commit whose answer was lost, or one fault behind another commit. */
  inDoubt: boolean;
}

/**
 * Runs `work` once per key (draft-ietf-httpapi-idempotency-key-header): a repeated request gets the first one's answer,
 * kept sealed for 24 hours, because the phone that lost it may need the password in it.
 * Throws ProblemError: idempotency_mismatch (another body), idempotency_running, idempotency_unknown.
 *
 * A process that dies between the effect and the keeping of the answer leaves a key of which nobody knows whether its work
 * was done, and so does work that ends in doubt. It is not done again: the caller is told so, looks, and decides with a key
 * of its own.
 */
export async function oncePerKey(
  deps: IdempotencyDeps,
  request: IdempotentRequest,
  work: () => Promise<KeyedReply>,
): Promise<JsonReply> {
  const fingerprint = createHash("sha256").update(`${request.method} ${request.path}\n`).update(request.body).digest();
  const startedAt = await takeKey(deps.sql, request, fingerprint);
  if (startedAt === undefined) return replay(deps, request, fingerprint);
  const mark = [request.caller, request.key, startedAt];
  const giveBack = () =>
    deps.sql.query(
      `delete from idempotency_keys where caller = $1 and key = $2 and created_at = $3::timestamptz`,
      mark,
    );
  const leaveInDoubt = (status: number) =>
    deps.sql.query(
      `update idempotency_keys set status = $4 where caller = $1 and key = $2 and created_at = $3::timestamptz`,
      [...mark, status],
    );
  const { reply, inDoubt } = await work();
  if (inDoubt) await nowOrLater(() => leaveInDoubt(reply.status), deps.log);
  else if (NOT_KEPT.has(reply.status)) await nowOrLater(giveBack, deps.log);
  else await keepAnswer(deps, request, startedAt, reply);
  return reply;
}

const TRY_EVERY_MS = 1_000;
const TRIES = 600;

const nowOrLater = (write: () => Promise<unknown>, log: Logger) => write().catch(() => void writeLater(write, log));

/**
 * Postgres is away: the caller was told to try again, and may with the same key as soon as that works, unless its work is in
 * doubt. Kept in memory: a process that ends before leaves a key that is told as unknown.
 */
async function writeLater(write: () => Promise<unknown>, log: Logger): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    await sleep(TRY_EVERY_MS, undefined, { ref: false });
    const written = await write().then(
      () => true,
      () => false,
    );
    if (written) return;
  }
  log.error("what became of a request could not be noted at its idempotency key");
}

/** @returns when this run started (its mark on the row), or undefined when another request has the key. */
async function takeKey(sql: Sql, { caller, key }: IdempotentRequest, fingerprint: Buffer): Promise<string | undefined> {
  const [row] = await sql.query<{ started_at: string }>(
    `insert into idempotency_keys as k (caller, key, fingerprint, created_at) values ($1, $2, $3, clock_timestamp())
     on conflict (caller, key) do update
       set fingerprint = excluded.fingerprint, status = null, sealed_answer = null, created_at = excluded.created_at
       where k.created_at < now() - interval '24 hours'
     returning created_at::text as started_at`,
    [caller, key, fingerprint],
  );
  return row?.started_at;
}

async function replay(
  { sql, secretsKey }: IdempotencyDeps,
  { caller, key }: IdempotentRequest,
  fingerprint: Buffer,
): Promise<JsonReply> {
  const [row] = await sql.query<{
    fingerprint: Buffer;
    status: number | null;
    sealed_answer: string | null;
    abandoned: boolean;
  }>(
    `select fingerprint, status, sealed_answer, created_at < now() - make_interval(secs => $3) as abandoned
     from idempotency_keys where caller = $1 and key = $2`,
    [caller, key, ABANDONED_AFTER_SECONDS],
  );
  if (row !== undefined && !fingerprint.equals(row.fingerprint))
    throw new ProblemError(
      "idempotency_mismatch",
      "This Idempotency-Key came with another method, path or body before.",
    );
  if (row?.status === null && row.abandoned)
    throw new ProblemError(
      "idempotency_unknown",
      `The first request with this key has had no answer for ${ABANDONED_AFTER_SECONDS} seconds.`,
    );
  if (row !== undefined && row.status !== null && row.sealed_answer === null)
    throw new ProblemError(
      "idempotency_unknown",
      "The first request with this key was broken off by a fault, perhaps behind what it changed.",
    );
  if (row === undefined || row.status === null || row.sealed_answer === null)
    throw new ProblemError("idempotency_running", "The first request with this key has no answer yet.", {
      retryAfterSeconds: 1,
    });
  const reply = JSON.parse(unseal(secretsKey, answerContext(caller, key), row.sealed_answer)) as JsonReply;
  return { ...reply, headers: { ...reply.headers, "idempotent-replayed": "true" } };
}

async function keepAnswer(
  { sql, secretsKey, log }: IdempotencyDeps,
  { caller, key }: IdempotentRequest,
  startedAt: string,
  reply: JsonReply,
): Promise<void> {
  const answer = seal(secretsKey, answerContext(caller, key), JSON.stringify(reply));
  try {
    await sql.query(
      `update idempotency_keys set status = $4, sealed_answer = $5 where caller = $1 and key = $2 and created_at = $3::timestamptz`,
      [caller, key, startedAt, reply.status, answer],
    );
  } catch (fault) {
    // The work is done: the caller gets its answer, only a repetition will not find it.
    log.error({ error: fault }, "idempotent answer not kept");
  }
}

const answerContext = (caller: string, key: string) => `idempotency_keys.sealed_answer:${caller}:${key}`;
