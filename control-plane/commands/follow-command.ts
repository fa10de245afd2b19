import type { CommandMessage } from "@dynamo-csms/proto/command-message";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type pg from "pg";
import type { Logger } from "pino";
import { inTransaction, sqlOn } from "../database.ts";
import { faultKindOf } from "../fault-kind.ts";
import { preparedSqlOn } from "../prepared-sql.ts";
import type { CommandMetrics } from "./command-metrics.ts";
import { deliverCommand, type DeliveryTiming } from "./deliver-command.ts";
import type { NodeChannel } from "./node-channel.ts";
import { createOpenCommands } from "./open-commands.ts";
import { type KnownOutcome, recordCommandOutcome, recordCommandSent } from "./record-outcome.ts";
import { OUTCOME_EFFECTS } from "./outcome-effects.ts";
import type { Holder, Owner } from "./resolve-owner.ts";

export interface CommandFollowerDeps {
  pool: pg.Pool;
  channel: Pick<NodeChannel, "publish" | "onReports">;
  resolveOwner(identity: StationIdentity): Promise<Owner | undefined>;
  timing: DeliveryTiming;
  metrics: CommandMetrics;
  log: Logger;
}

export interface CommandFollower {
  /** This process follows as many commands as it may. */
  readonly full: boolean;
  /**
   * Takes a command whose row is published for this owner to its end. @param finalBy Unix ms; past it nothing more can come.
   * Never rejects: what this process loses from sight is ended by the lane or the sweep of deadlines.
   */
  follow(message: Omit<CommandMessage, "epoch">, owner: Holder, finalBy: number): Promise<void>;
  /** Stops following; what is under way is finished by the lane or the sweep of deadlines. */
  stop(): Promise<void>;
}

const MAX_FOLLOWED = 5_000;
/** Two transactions that met: the intake has the same outcome in its hands at about the same moment. */
const MAX_RETRIES = 5;

/** Delivers commands and writes what becomes of them into their rows. */
export function createCommandFollower(deps: CommandFollowerDeps): CommandFollower {
  const { pool, log } = deps;
  const sql = sqlOn(pool);
  const prepared = preparedSqlOn(pool);
  const open = createOpenCommands(sql);
  const followed = new Set<Promise<void>>();
  const stopping = new AbortController();

  async function run(message: Omit<CommandMessage, "epoch">, owner: Holder, finalBy: number): Promise<void> {
    const { commandId, action } = message;
    let { epoch } = owner;
    const result = await deliverCommand(message, owner, finalBy, {
      channel: deps.channel,
      resolveOwner: deps.resolveOwner,
      async recordTarget(target) {
        const rows = await sql.query(
          "update commands set node_id = $2, epoch = $3 where id = $1 and final_at is null and epoch = $4 returning id",
          [commandId, target.nodeId, target.epoch, epoch],
        );
        if (rows.length > 0) epoch = target.epoch;
        return rows.length > 0;
      },
      recordSent: (sentAt) => recordCommandSent(sql, commandId, sentAt),
      isOver: async () => !(await open.isOpen(commandId, epoch)),
      timing: deps.timing,
      signal: stopping.signal,
    });
    if (result !== "elsewhere") await settle(action, { commandId, outcome: result, at: new Date(), epoch });
  }

  async function settle(action: string, known: KnownOutcome): Promise<void> {
    // Without effects it is one statement, which is a transaction by itself.
    const isOneStatement = known.outcome.state !== "not_connected" && !OUTCOME_EFFECTS.has(action);
    for (let retries = 0; ; retries += 1) {
      try {
        await deps.metrics.whenCommitted((ended) =>
          isOneStatement
            ? recordCommandOutcome(prepared, known, { log, ended })
            : inTransaction(pool, (tx) => recordCommandOutcome(tx, known, { log, ended })),
        );
        return;
      } catch (fault) {
        if (faultKindOf(fault) !== "retry" || retries >= MAX_RETRIES) throw fault;
      }
    }
  }

  return {
    get full() {
      return followed.size >= MAX_FOLLOWED;
    },
    follow(message, owner, finalBy) {
      const { commandId } = message;
      const delivery = run(message, owner, finalBy).catch((cause: unknown) =>
        log.error({ commandId, error: cause }, "command lost from sight"),
      );
      followed.add(delivery);
      void delivery.finally(() => followed.delete(delivery));
      return delivery;
    },
    async stop() {
      stopping.abort();
      await Promise.all(followed);
    },
  };
}
