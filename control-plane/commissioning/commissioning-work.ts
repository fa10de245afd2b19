import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type pg from "pg";
import type { Logger } from "pino";
import { findCommandableStation } from "../commands/find-commandable-station.ts";
import type { Owner } from "../commands/resolve-owner.ts";
import type { CommandSender } from "../commands/send-command.ts";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import type { DurableWork, WakeUps } from "../jobs/durable-work.ts";
import { FAN_OUT_WORK } from "../webhooks/record-event.ts";
import { advanceCommissioning, type Advanced, type DiagnoseConnection } from "./advance-commissioning.ts";
import { type Commissioning, findCommissioning } from "./commissioning-rows.ts";
import type { CommissioningSettings } from "./commissioning-settings.ts";

/** Name of the work, for wake-ups. */
const COMMISSIONING_WORK = "commissioning";

export interface CommissioningWorkDeps {
  pool: pg.Pool;
  resolveOwner(identity: StationIdentity): Promise<Owner | undefined>;
  sender: Pick<CommandSender, "send">;
  diagnose: DiagnoseConnection;
  wakeUps: WakeUps;
  settings: CommissioningSettings;
  log: Logger;
}

/** A station on site answers fast; the check asks again when it does not. */
const CALL_TIMEOUT_MS = 10_000;

/** Timers may fire this much before their time. */
const EARLY_MS = 20;

/** Runs commissionings: each run moves one on, sends what its checks ask for, and says when to come back. */
export function createCommissioningWork(deps: CommissioningWorkDeps): DurableWork {
  const { pool, wakeUps, log } = deps;
  const sql = sqlOn(pool);

  /** Nobody waits for the answer here: it wakes the commissioning again, as does the row's due time. */
  async function ask(commissioning: Commissioning, question: Advanced["asks"][number]): Promise<void> {
    const station = await findCommandableStation(sql, commissioning.orgId, commissioning.chargePointId);
    if (station === undefined) return;
    const sent = await deps.sender.send({
      station,
      action: question.action,
      payload: question.payload,
      requestedBy: COMMISSIONING_WORK,
      commandId: question.commandId,
      callTimeoutMs: CALL_TIMEOUT_MS,
    });
    if (!sent.ok)
      return log.warn(
        { check: question.name, station: commissioning.chargePointId, refusal: sent.error.kind },
        "check could not ask",
      );
    void sent.value.settled
      .then(() =>
        sql.query(
          "update commissioning_checks set next_attempt_at = now() where commissioning_id = $1 and name = $2 and status = 'in_progress'",
          [commissioning.id, question.name],
        ),
      )
      .then(
        () => wakeUps.wake(COMMISSIONING_WORK, commissioning.id),
        (cause: unknown) => log.warn({ commissioningId: commissioning.id, error: cause }, "check not woken"),
      );
  }

  return {
    name: COMMISSIONING_WORK,
    concurrency: 20,

    async run(id) {
      const found = await findCommissioning(sql, { id }, "read");
      if (found === undefined || !(await isDue(sql, id))) return;
      const owner = await deps.resolveOwner(found.identity);
      const advanced = await inTransaction(pool, async (tx) => {
        const locked = await findCommissioning(tx, { id }, "lock");
        const step = { mayAsk: true, justStarted: false };
        return locked && advanceCommissioning(tx, locked, owner, deps.settings, deps.diagnose, step);
      });
      if (advanced === undefined) return;
      for (const eventId of advanced.eventIds) wakeUps.wake(FAN_OUT_WORK, eventId);
      if (advanced.eventIds.length > 0)
        log.info(
          { commissioningId: id, station: found.chargePointId, status: advanced.commissioning.status },
          "commissioning ended",
        );
      wakeAgain(wakeUps, advanced);
      await Promise.all(advanced.asks.map((question) => ask(advanced.commissioning, question)));
    },

    async due(limit) {
      const rows = await sql.query<{ id: string }>(
        `select commissioning_id as id from commissioning_checks
         where status in ('pending', 'in_progress') and next_attempt_at <= now()
         group by commissioning_id order by min(next_attempt_at) limit $1`,
        [limit],
      );
      return rows.map((row) => row.id);
    },
  };
}

/** Wake-ups come early, late and twice; only the rows say whether there is something to do. */
async function isDue(sql: Sql, commissioningId: string): Promise<boolean> {
  const rows = await sql.query(
    `select 1 from commissioning_checks
     where commissioning_id = $1 and status in ('pending', 'in_progress') and next_attempt_at <= now() + $2 * interval '1 millisecond' limit 1`,
    [commissioningId, EARLY_MS],
  );
  return rows.length > 0;
}

/** Wakes the commissioning when the first of its checks is due. */
export function wakeAgain(
  wakeUps: WakeUps,
  { commissioning, checks }: Pick<Advanced, "commissioning" | "checks">,
): void {
  const due = checks.flatMap((check) => (check.nextAttemptAt === null ? [] : [check.nextAttemptAt.getTime()]));
  if (due.length > 0) wakeUps.wake(COMMISSIONING_WORK, commissioning.id, Math.min(...due) - Date.now());
}
