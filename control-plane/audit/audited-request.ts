import type { Logger } from "pino";
import type { Sql } from "../database.ts";
import { PROBLEMS, ProblemError } from "../http/problems.ts";
import type { Caller, JsonReply, RawReply, Route } from "../http/route.ts";
import { type Actor, type AuditEntry, beginAudit } from "./audit-trail.ts";
import { targetOfAnswer, targetOfPath } from "./targets.ts";

export interface AuditedRequest {
  route: Route;
  caller: Caller;
  params: unknown;
  body: unknown;
  requestId: string;
  remoteAddress: string;
}

/**
 * Runs a route's handler with an entry in the audit log around it. Reading leaves none; strangers leave one when they got
 * something done (a sign-up, a login): what they fail at is counted elsewhere and must not fill the log.
 */
export async function audited<R extends JsonReply | RawReply>(
  request: AuditedRequest,
  handle: (recorded?: () => Promise<void>) => Promise<R>,
  { sql, log }: { sql: Sql; log: Logger },
): Promise<R> {
  const { route } = request;
  if (!(route.audited ?? route.method !== "get")) return handle();
  const actor = actorOf(request.caller);
  if (actor.kind === "public") {
    const reply = await handle();
    if (reply.status < 400) await finish(await begin(sql, request, actorOfAnswer(reply)), reply, log);
    return reply;
  }
  const beginning = begin(sql, request, actor);
  let isAwaited = route.readsAhead !== true;
  if (isAwaited) await beginning;
  // Whoever awaits it is told.
  else beginning.catch(() => {});
  let reply: R;
  try {
    reply = await handle(async () => {
      isAwaited = true;
      await beginning;
    });
    if (!isAwaited && reply.status < 400) throw new Error(`${route.operationId} does not wait until it is on record`);
  } catch (thrown) {
    const entry = await beginning;
    const refusal = thrown instanceof ProblemError ? PROBLEMS[thrown.problem].status : undefined;
    await entry
      .finish(refusal === undefined || refusal >= 500 ? { outcome: "failed" } : { outcome: "refused", status: refusal })
      .catch((fault: unknown) => log.error({ error: fault }, "audit entry not finished"));
    throw thrown;
  }
  const finished = finish(await beginning, reply, log);
  // A command's way to the station and back is what its caller waits for; its entry is on record already.
  if (route.rateLimit !== "command") await finished;
  return reply;
}

const begin = (sql: Sql, { route, caller, params, body, requestId, remoteAddress }: AuditedRequest, actor: Actor) =>
  beginAudit(sql, {
    actor,
    orgId: caller.kind === "organization" ? caller.orgId : undefined,
    action: route.operationId,
    target: targetOfPath(route.operationId, route.path, params),
    request: body,
    requestId,
    remoteAddress,
  });

/** The action is done, so its answer goes out whatever becomes of the entry. */
async function finish(entry: AuditEntry, reply: JsonReply | RawReply, log: Logger): Promise<void> {
  try {
    await entry.finish({
      outcome: reply.status < 400 ? "done" : "refused",
      status: reply.status,
      made: "body" in reply ? targetOfAnswer(reply.body) : undefined,
    });
  } catch (fault) {
    log.error({ error: fault }, "audit entry not finished");
  }
}

function actorOf(caller: Caller): Actor {
  switch (caller.kind) {
    case "organization":
      return { kind: "api_key", id: caller.keyId };
    case "installer":
      return { kind: "installer", id: caller.installerId };
    case "public":
      return { kind: "public", id: null };
  }
}

/** A login says who it was. */
function actorOfAnswer(reply: JsonReply | RawReply): Actor {
  const body = "body" in reply ? (reply.body as { installer_id?: unknown } | null) : null;
  return typeof body?.installer_id === "string"
    ? { kind: "installer", id: body.installer_id }
    : { kind: "public", id: null };
}
