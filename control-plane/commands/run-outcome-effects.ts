import pg from "pg";
import type { Logger } from "pino";
import type { Sql } from "../database.ts";
import { describeFault } from "../fault-kind.ts";
import { type EndedCommand, OUTCOME_EFFECTS, type OutcomeEffect } from "./outcome-effects.ts";

export interface OutcomeDeps {
  /** Absent: the row alone tells. */
  log?: Pick<Logger, "error">;
  /** Default: OUTCOME_EFFECTS. */
  effects?: ReadonlyMap<string, readonly OutcomeEffect[]>;
  /** Told of each command behind its effects, in the transaction, which may yet be rolled back (CommandMetrics.whenCommitted). */
  ended?: (command: EndedCommand) => void;
}

/**
 * SQLSTATE classes that say nothing about the effect: connection, transaction state, rollback (deadlock, serialization),
 * resources, lock not available, operator intervention, system error.
 */
const NOT_THE_EFFECT = new Set(["08", "25", "40", "53", "55", "57", "58"]);

/**
 * Runs the effects of a command's end in the caller's transaction, each under a savepoint: the final state is the station's
 * word and stands, so an effect that cannot be applied is undone by itself, noted in the row (`effect_fault`) and logged, and
 * holds up nothing. Throws, with everything to be undone, when it is Postgres that failed: the caller's transaction is then
 * run again by whoever owns it.
 */
export async function runOutcomeEffects(sql: Sql, command: EndedCommand, deps: OutcomeDeps): Promise<void> {
  for (const effect of (deps.effects ?? OUTCOME_EFFECTS).get(command.action) ?? []) {
    await sql.query("savepoint outcome_effect");
    try {
      await effect(sql, command);
    } catch (fault) {
      if (fault instanceof pg.DatabaseError && NOT_THE_EFFECT.has((fault.code ?? "").slice(0, 2))) throw fault;
      // Fails on a broken connection: then it was not the effect either.
      await sql.query("rollback to savepoint outcome_effect");
      const reason = describeFault(fault);
      await sql.query("update commands set effect_fault = $2 where id = $1", [command.commandId, reason]);
      deps.log?.error(
        { commandId: command.commandId, action: command.action, reason },
        "effect of a command's outcome cannot be applied",
      );
    }
    await sql.query("release savepoint outcome_effect");
  }
  deps.ended?.(command);
}
