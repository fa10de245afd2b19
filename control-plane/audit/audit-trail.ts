import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { maskRequest } from "./mask-request.ts";
import { readTarget, type Target, targetQuery } from "./targets.ts";

export type Actor = { kind: "api_key" | "installer" | "cli"; id: string } | { kind: "public"; id: null };

export interface AuditedAction {
  actor: Actor;
  /** The actor's organisation, where it has one; else the target's. */
  orgId: string | undefined;
  /** operationId of the route, or the command line's command. */
  action: string;
  /** What it is done to, where that is known before; what it makes is found in its answer. */
  target: Target | undefined;
  /** Body or flags; masked before it is stored. */
  request: unknown;
  requestId?: string;
  remoteAddress?: string;
}

export interface AuditOutcome {
  outcome: "done" | "refused" | "failed";
  status?: number;
  /** What the action made. */
  made?: Target | undefined;
}

/** The entry of an action under way. */
export interface AuditEntry {
  finish(outcome: AuditOutcome): Promise<void>;
}

/**
 * Writes an action into the audit log before it runs, with the state of its target: nothing is done that is not on record.
 * `finish` adds how it ended and the state after it. A process that dies in between leaves the entry "running".
 * Throws when Postgres is away: the action must not run then.
 */
export async function beginAudit(sql: Sql, action: AuditedAction): Promise<AuditEntry> {
  const id = newId("aud");
  const target = action.target === undefined ? undefined : targetQuery(action.target.kind);
  // What another organisation has is none of the asker's business, and the entry is the asker's to read.
  await sql.query(
    `with target as (${target?.replaceAll("$1", "$11") ?? "select null::text as org_id, null::json as state where false"})
     insert into audit_log (id, org_id, actor_kind, actor_id, action, target_kind, target_id, request_id, remote_address, request, before)
     select $1, coalesce($2, target.org_id), $3, $4, $5, $6, $7, $8, $9, $10::json, case when $2::text is null or target.org_id = $2 then target.state end
     from (values (1)) one left join target on true`,
    [
      id,
      action.orgId ?? null,
      action.actor.kind,
      action.actor.id,
      action.action,
      action.target?.kind ?? null,
      action.target?.id ?? null,
      action.requestId ?? null,
      action.remoteAddress ?? null,
      action.request === undefined ? null : JSON.stringify(maskRequest(action.request)),
      ...(target === undefined ? [] : [action.target?.id]),
    ],
  );
  return {
    async finish({ outcome, status, made }) {
      const target = made ?? action.target;
      const after = target === undefined || outcome !== "done" ? undefined : await readTarget(sql, target);
      await sql.query(
        `update audit_log set outcome = $2, status = $3, finished_at = clock_timestamp(), target_kind = $4, target_id = $5,
                after = $6, org_id = coalesce(org_id, $7) where id = $1`,
        [
          id,
          outcome,
          status ?? null,
          target?.kind ?? null,
          target?.id ?? null,
          after === undefined ? null : JSON.stringify(after.state),
          after?.orgId ?? null,
        ],
      );
    },
  };
}
