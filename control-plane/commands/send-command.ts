// START HERE: a command from the call that wants it to the gateway that holds the station, and its outcome back.

import { isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import {
  COMMAND_FORMAT,
  sealedPayloadContext,
  type CommandMessage,
  type CommandOutcome,
} from "@dynamo-csms/proto/command-message";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { seal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Logger } from "pino";
import type { Sql } from "../database.ts";
import { newId } from "../ids.ts";
import { deliverCommand, type DeliveryResult, type DeliveryTiming } from "./deliver-command.ts";
import type { CommandableStation } from "./find-commandable-station.ts";
import type { NodeChannel } from "./node-channel.ts";
import { recordCommandOutcome, recordCommandSent } from "./record-outcome.ts";
import type { Owner } from "./resolve-owner.ts";
import { maskSecrets, secretPathsOf } from "./secret-fields.ts";

/** The time a station has for its answer, and a command for being sent (design "Commands"). */
const CALL_TIMEOUT_MS = 30_000;

export interface CommandRequest {
  station: CommandableStation;
  action: string;
  payload: unknown;
  /** Who asked, for the row: an API key's id, or "commissioning". */
  requestedBy: string;
  /** Given by callers that wrote the id down before; default: a new one. */
  commandId?: string;
  callTimeoutMs?: number;
}

export type CommandRefusal =
  | { kind: "unknown-action"; description: string }
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
  /** Stops following; what is under way is finished by the lane or the sweep of deadlines. */
  stop(): Promise<void>;
}

export interface CommandSenderDeps {
  sql: Sql;
  channel: Pick<NodeChannel, "askerId" | "publish" | "onReports">;
  resolveOwner(identity: StationIdentity): Promise<Owner | undefined>;
  secretsKey: SecretsKey;
  timing: DeliveryTiming;
  log: Logger;
}

const MAX_FOLLOWED = 5_000;

export function createCommandSender(deps: CommandSenderDeps): CommandSender {
  const { sql, channel, secretsKey, log } = deps;
  const followed = new Set<Promise<void>>();
  const stopping = new AbortController();

  function follow(message: Omit<CommandMessage, "epoch">, owner: Owner, finalBy: number): Promise<void> {
    const delivery = deliverCommand(message, owner, finalBy, {
      channel,
      resolveOwner: deps.resolveOwner,
      recordTarget: (target) => recordTarget(sql, message.commandId, target),
      recordSent: (sentAt) => recordCommandSent(sql, message.commandId, sentAt),
      isFinal: () => isFinal(sql, message.commandId),
      timing: deps.timing,
      signal: stopping.signal,
    })
      .then(async (result: DeliveryResult) => {
        if (result !== "elsewhere") await recordCommandOutcome(sql, message.commandId, result, new Date());
      })
      .catch((cause: unknown) => log.error({ commandId: message.commandId, error: cause }, "command lost from sight"));
    followed.add(delivery);
    void delivery.finally(() => followed.delete(delivery));
    return delivery;
  }

  return {
    async send(request) {
      if (followed.size >= MAX_FOLLOWED) return err({ kind: "busy" });
      const refusal = refusalOf(request);
      if (refusal !== undefined) return err(refusal);
      const { station, action, payload } = request;
      const commandId = request.commandId ?? newId("cmd");
      const callTimeoutMs = request.callTimeoutMs ?? CALL_TIMEOUT_MS;
      const secretPaths = secretPathsOf(action, payload);
      const text = JSON.stringify(payload);
      const sealedPayload =
        secretPaths.length === 0 ? undefined : seal(secretsKey, sealedPayloadContext(commandId), text);
      const owner = await deps.resolveOwner(station.identity);
      const nowMs = Date.now();
      const deadlineAtMs = nowMs + callTimeoutMs;
      // Sent at the last moment, answered at the last moment.
      const finalBy = deadlineAtMs + callTimeoutMs;
      const shown = sealedPayload === undefined ? text : JSON.stringify(maskSecrets(payload, secretPaths));
      await insertCommand(sql, request, {
        commandId,
        payload: shown,
        sealedPayload,
        owner,
        finalInMs: finalBy - nowMs,
      });
      if (owner === undefined) return ok({ commandId, settled: Promise.resolve() });
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
      return ok({ commandId, settled: follow(message, owner, finalBy) });
    },
    async stop() {
      stopping.abort();
      await Promise.all(followed);
    },
  };
}

function refusalOf({ station, action, payload }: CommandRequest): CommandRefusal | undefined {
  if (!isCsmsAction(station.version, action))
    return {
      kind: "unknown-action",
      description: `${action} is not an action that OCPP ${station.version} lets us send to a charge point`,
    };
  const mistake = validatePayload(station.version, action, "request", payload);
  return mistake === undefined
    ? undefined
    : { kind: "invalid-payload", pointer: mistake.pointer, description: mistake.description };
}

interface NewCommand {
  commandId: string;
  payload: string;
  sealedPayload: string | undefined;
  owner: Owner | undefined;
  /** From now on. The sweep of deadlines counts by Postgres' clock, so the row does too. */
  finalInMs: number;
}

/** `published` from the start where there is an owner: a crash right after the publish must not look like "never sent". */
async function insertCommand(sql: Sql, request: CommandRequest, command: NewCommand): Promise<void> {
  const { station, action, requestedBy } = request;
  const { owner } = command;
  const offline: CommandOutcome | undefined =
    owner === undefined ? { state: "not_connected", reason: "the charge point is not connected" } : undefined;
  await sql.query(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, sealed_payload, requested_by, deadline_at,
       state, node_id, epoch, published_at, final_at, reason)
     values ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 millisecond', $10, $11, $12, case when $11::text is null then null else now() end,
       case when $11::text is null then now() end, $13)`,
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
}

async function recordTarget(sql: Sql, commandId: string, target: Owner): Promise<void> {
  await sql.query("update commands set node_id = $2, epoch = $3 where id = $1 and final_at is null", [
    commandId,
    target.nodeId,
    target.epoch,
  ]);
}

async function isFinal(sql: Sql, commandId: string): Promise<boolean> {
  const rows = await sql.query("select 1 from commands where id = $1 and final_at is not null", [commandId]);
  return rows.length > 0;
}
