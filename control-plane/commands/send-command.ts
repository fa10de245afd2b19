// START HERE: a command from the call that wants it to the gateway that holds the station, and its outcome back.

import { isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import {
  COMMAND_FORMAT,
  sealedPayloadContext,
  type CommandMessage,
  type CommandOutcome,
} from "@dynamo-csms/proto/command-message";
import type { Tracing } from "@dynamo-csms/proto/process/tracing";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { seal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type pg from "pg";
import type { Logger } from "pino";
import { inTransaction, type Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { preparedSqlOn } from "../prepared-sql.ts";
import type { CommandMetrics } from "./command-metrics.ts";
import type { DeliveryTiming } from "./deliver-command.ts";
import type { CommandableStation } from "./find-commandable-station.ts";
import { createCommandFollower, type CommandFollower } from "./follow-command.ts";
import type { NodeChannel } from "./node-channel.ts";
import { ENDED, endedCommand, type EndedRow } from "./record-outcome.ts";
import type { Holder, Owner } from "./resolve-owner.ts";
import { type OutcomeDeps, runOutcomeEffects } from "./run-outcome-effects.ts";
import { maskSecrets, secretPathsOf } from "./secret-fields.ts";

/** The time a station has for its answer, and a command for being sent (design "Commands"). */
export const CALL_TIMEOUT_MS = 30_000;

export interface CommandRequest {
  station: CommandableStation;
  action: string;
  payload: unknown;
  /** Who asked, for the row: an API key's id, or "commissioning". */
  requestedBy: string;
  /** Given by callers that wrote the id down before; default: a new one. */
  commandId?: string;
  callTimeoutMs?: number;
  /** Awaited before anything is written. */
  recorded?: () => Promise<void>;
}

export type CommandRefusal =
  | { kind: "unknown-action" }
  | { kind: "invalid-payload"; pointer: string; description: string }
  /** This process follows too many commands already. */
  | { kind: "busy" };

export interface SentCommand {
  commandId: string;
  /** Settles when the row has its final state, or this process stopped following it. Never rejects. */
  settled: Promise<void>;
}

export interface CommandSender {
  /** Writes the command's row and starts its delivery. Throws when Postgres or Redis is away: then nothing was sent. */
  send(request: CommandRequest): Promise<Result<SentCommand, CommandRefusal>>;
  /** This process follows as many commands as it may. */
  readonly full: boolean;
  /** Takes a command that waited, and whose row is published now, to its end (deliver-queued.ts). */
  follow: CommandFollower["follow"];
  /** Stops following; what is under way is finished by the lane or the sweep of deadlines. */
  stop(): Promise<void>;
}

export interface CommandSenderDeps {
  pool: pg.Pool;
  channel: Pick<NodeChannel, "askerId" | "publish" | "onReports">;
  resolveOwner(identity: StationIdentity): Promise<Owner | undefined>;
  /** The same without a look at the node, for the first attempt: whether it lives is asked when it does not answer. Default: resolveOwner. */
  findHolder?(identity: StationIdentity): Promise<Holder | undefined>;
  secretsKey: SecretsKey;
  timing: DeliveryTiming;
  metrics: CommandMetrics;
  tracing?: Tracing | undefined;
  log: Logger;
}

export function createCommandSender(deps: CommandSenderDeps): CommandSender {
  const { pool, channel, secretsKey, log, findHolder = deps.resolveOwner } = deps;
  const follower = createCommandFollower(deps);
  const prepared = preparedSqlOn(pool);

  /** What is asked for in a trace goes on in it, to the command's final state. */
  function followTraced(message: Omit<CommandMessage, "epoch">, owner: Holder, finalBy: number): Promise<void> {
    const { commandId, action, identity } = message;
    const attributes = { "ocpp.action": action, command_id: commandId, station: identity, node: owner.nodeId };
    const asked = deps.tracing?.current()?.traceparent;
    const span = deps.tracing?.follow(asked, { name: `command ${action}`, kind: "producer", attributes });
    if (span === undefined) return follower.follow(message, owner, finalBy);
    return follower.follow({ ...message, traceparent: span.traceparent }, owner, finalBy).finally(() => span.end());
  }

  return {
    async send(request) {
      if (follower.full) return err({ kind: "busy" });
      const refusal = refusalOf(request);
      if (refusal !== undefined) return err(refusal);
      const { station, action, payload } = request;
      const commandId = request.commandId ?? newId("cmd");
      const callTimeoutMs = request.callTimeoutMs ?? CALL_TIMEOUT_MS;
      const secretPaths = secretPathsOf(action, payload);
      const text = JSON.stringify(payload);
      const sealedPayload =
        secretPaths.length === 0 ? undefined : seal(secretsKey, sealedPayloadContext(commandId), text);
      const owner = await findHolder(station.identity);
      await request.recorded?.();
      const nowMs = Date.now();
      const deadlineAtMs = nowMs + callTimeoutMs;
      // Sent at the last moment, answered at the last moment.
      const finalBy = deadlineAtMs + callTimeoutMs;
      const shown = sealedPayload === undefined ? text : JSON.stringify(maskSecrets(payload, secretPaths));
      const row = { commandId, payload: shown, sealedPayload, owner, finalInMs: finalBy - nowMs };
      if (owner === undefined) {
        await deps.metrics.whenCommitted((ended) =>
          inTransaction(pool, (sql) => insertCommand(sql, request, row, { log, ended })),
        );
        return ok({ commandId, settled: Promise.resolve() });
      }
      // One statement: committed when it returns.
      await insertCommand(prepared, request, row, { log });
      const message: Omit<CommandMessage, "epoch"> = {
        v: COMMAND_FORMAT,
        kind: "command",
        commandId,
        identity: station.identity,
        version: station.version,
        action,
        ...(sealedPayload === undefined ? { payload: text } : { sealedPayload, secretPaths }),
        callTimeoutMs,
        deadlineAtMs,
        askerId: channel.askerId,
      };
      return ok({ commandId, settled: followTraced(message, owner, finalBy) });
    },
    get full() {
      return follower.full;
    },
    follow: (message, owner, finalBy) => follower.follow(message, owner, finalBy),
    stop: () => follower.stop(),
  };
}

function refusalOf({ station, action, payload }: CommandRequest): CommandRefusal | undefined {
  if (!isCsmsAction(station.version, action)) return { kind: "unknown-action" };
  const mistake = validatePayload(station.version, action, "request", payload);
  return mistake === undefined
    ? undefined
    : { kind: "invalid-payload", pointer: mistake.pointer, description: mistake.description };
}

interface NewCommand {
  commandId: string;
  payload: string;
  sealedPayload: string | undefined;
  owner: Holder | undefined;
  /** From now on. The sweep of deadlines counts by Postgres' clock, so the row does too. */
  finalInMs: number;
}

/** `published` from the start where there is an owner: a crash right after the publish must not look like "never sent". */
async function insertCommand(sql: Sql, request: CommandRequest, command: NewCommand, deps: OutcomeDeps): Promise<void> {
  const { station, action, requestedBy } = request;
  const { owner } = command;
  const offline: CommandOutcome | undefined =
    owner === undefined ? { state: "not_connected", reason: "the charge point is not connected" } : undefined;
  const [row] = await sql.query<EndedRow>(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, sealed_payload, requested_by, deadline_at,
       state, node_id, epoch, published_at, final_at, reason)
     values ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 millisecond', $10, $11, $12, case when $11::text is null then null else now() end,
       case when $11::text is null then now() end, $13)
     returning ${ENDED}`,
    [
      command.commandId,
      station.orgId,
      station.id,
      station.version,
      action,
      command.payload,
      command.sealedPayload ?? null,
      requestedBy,
      command.finalInMs,
      offline?.state ?? "published",
      owner?.nodeId ?? null,
      owner?.epoch ?? null,
      offline?.reason ?? null,
    ],
  );
  if (row !== undefined && offline !== undefined) await runOutcomeEffects(sql, endedCommand(row), deps);
}
