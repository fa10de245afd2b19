// Commands that waited for their station, from the row to the gateway: the same way as those that are sent at once, with
// the same one final state (record-outcome.ts). The jobs process sweeps; the API sends at once where the station is there.

import { COMMAND_FORMAT, type CommandMessage, sealedPayloadContext } from "@dynamo-csms/proto/command-message";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { type SecretsKey, unseal } from "@dynamo-csms/proto/sealed-secret";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type pg from "pg";
import type { Logger } from "pino";
import { inTransaction, sqlOn } from "../database.ts";
import type { DurableWork, WakeUps } from "../jobs/durable-work.ts";
import { endClaimed, endThoseOfAnotherVersion } from "./cancel-command.ts";
import type { CommandMetrics } from "./command-metrics.ts";
import type { Owner } from "./resolve-owner.ts";
import { secretPathsOf } from "./secret-fields.ts";
import { CALL_TIMEOUT_MS, type CommandSender, type SentCommand } from "./send-command.ts";
import { claimNext, type ClaimedCommand, dueStations, putAside, queueStation } from "./waiting-commands.ts";

/** At the gateway it waits behind what is open there, which a slow station takes its time for. */
const SEND_WITHIN_MS = 120_000;
/** Postgres has it connected and Redis has not: one of them will hear of it soon. */
const UNCLEAR_SECONDS = 15;
/** One is on its way: whoever follows it goes on with the next, unless it dies. */
const BUSY_SECONDS = 2;
/** This process follows as many as it may: a fleet that comes back at once is served bit by bit. */
const FULL_SECONDS = 5;

export interface QueuedDeliveryDeps {
  pool: pg.Pool;
  sender: Pick<CommandSender, "follow" | "full">;
  resolveOwner(identity: StationIdentity): Promise<Owner | undefined>;
  secretsKey: SecretsKey;
  /** The process that wants the reports. */
  askerId: string;
  metrics: CommandMetrics;
  log: Logger;
}

export interface QueuedDelivery {
  /**
   * Sends the station's next waiting command, if it is connected and none is on its way. Safe at any moment and in any number
   * of processes: the row is claimed first. Throws when Postgres or Redis is away, with nothing sent.
   */
  deliverNext(stationId: string): Promise<SentCommand | undefined>;
}

export function createQueuedDelivery(deps: QueuedDeliveryDeps): QueuedDelivery {
  const { pool, metrics, log } = deps;
  const sql = sqlOn(pool);

  return {
    async deliverNext(stationId) {
      const station = await queueStation(sql, stationId);
      if (station === undefined) {
        await putAside(sql, stationId, new Date());
        return undefined;
      }
      if (deps.sender.full) {
        await putAside(sql, stationId, station.askedAt, FULL_SECONDS);
        return undefined;
      }
      const owner = await deps.resolveOwner(station.identity);
      if (owner === undefined || !owner.alive) {
        await putAside(sql, stationId, station.askedAt, UNCLEAR_SECONDS);
        return undefined;
      }
      const limits = { sendWithinMs: SEND_WITHIN_MS, callTimeoutMs: CALL_TIMEOUT_MS };
      const claimed = await metrics.whenCommitted((ended) =>
        inTransaction(pool, async (tx) => {
          const next = await claimNext(tx, stationId, owner, limits);
          if (next === undefined || next === "busy") return next;
          const payload = payloadOf(next, deps.secretsKey);
          if (payload.ok) return { ...next, payload: payload.value };
          await endClaimed(tx, next.id, payload.error, { log, ended });
          return { unreadable: next.id };
        }),
      );
      if (typeof claimed === "object" && "unreadable" in claimed) {
        log.error({ commandId: claimed.unreadable }, "sealed payload cannot be opened");
        // Those behind it are due still.
        return undefined;
      }
      if (claimed === "busy") {
        await putAside(sql, stationId, station.askedAt, BUSY_SECONDS);
        return undefined;
      }
      if (claimed === undefined) {
        await metrics.whenCommitted((ended) =>
          inTransaction(pool, (tx) => endThoseOfAnotherVersion(tx, stationId, owner.epoch, { log, ended })),
        );
        await putAside(sql, stationId, station.askedAt);
        return undefined;
      }
      const deadlineAtMs = Date.now() + claimed.sendWithinMs;
      const message: Omit<CommandMessage, "epoch"> = {
        v: COMMAND_FORMAT,
        kind: "command",
        commandId: claimed.id,
        identity: station.identity,
        version: claimed.version,
        action: claimed.action,
        ...claimed.payload,
        callTimeoutMs: CALL_TIMEOUT_MS,
        deadlineAtMs,
        askerId: deps.askerId,
      };
      return { commandId: claimed.id, settled: deps.sender.follow(message, owner, deadlineAtMs + CALL_TIMEOUT_MS) };
    },
  };
}

/** An error is the reason why it can never be sent: gateways have the same key. */
function payloadOf(
  { id, action, payload, sealedPayload }: ClaimedCommand,
  key: SecretsKey,
): Result<Pick<CommandMessage, "payload" | "sealedPayload" | "secretPaths">, string> {
  if (sealedPayload === null) return ok({ payload });
  let open: string;
  try {
    open = unseal(key, sealedPayloadContext(id), sealedPayload);
  } catch {
    return err("its secrets were sealed with another SECRETS_KEY; send it again");
  }
  return ok({ sealedPayload, secretPaths: secretPathsOf(action, JSON.parse(open)) });
}

/** The work's name: woken with a station's id. */
export const QUEUED_COMMANDS = "queued-commands";

/** The jobs process's part: finds stations that are connected with commands waiting, and goes on where one command ended. */
export function createQueuedCommandsWork(deps: {
  pool: pg.Pool;
  delivery: QueuedDelivery;
  wakeUps: WakeUps;
}): DurableWork {
  const sql = sqlOn(deps.pool);
  return {
    name: QUEUED_COMMANDS,
    concurrency: 20,
    async run(stationId) {
      const sent = await deps.delivery.deliverNext(stationId);
      void sent?.settled.then(() => deps.wakeUps.wake(QUEUED_COMMANDS, stationId));
    },
    due: (limit) => dueStations(sql, limit),
  };
}
