import { recordCommandOutcome, recordCommandSent } from "../commands/record-outcome.ts";
import type { Sql } from "../database.ts";
import { recordFrames } from "../message-log/record-frames.ts";
import { recordBoots, restoreAcceptance } from "../stations/record-boot.ts";
import { recordConnections } from "../stations/record-connection.ts";
import { recordSeen } from "../stations/record-seen.ts";
import { recordStatuses } from "../stations/record-status.ts";
import { quarantine } from "../transactions/quarantine.ts";
import { recordTransactionEvents } from "../transactions/record-events.ts";
import { type MeterShapes, recordMeterValues } from "../transactions/record-meter-values.ts";
import type { Effects } from "./effects.ts";
import { recordReportedGap } from "./lane-rows.ts";

/**
 * Writes what was collected, inside the batch's transaction. Every intake writes the tables in this order and the rows of
 * each in key order, so that two of them seldom wait for each other in a circle.
 */
export async function writeEffects(sql: Sql, effects: Effects, deps: { shapes: MeterShapes }): Promise<void> {
  await recordFrames(sql, effects.frames);
  await recordSeen(sql, effects.seen);
  await recordConnections(sql, effects.connections);
  await recordBoots(sql, effects.boots);
  await restoreAcceptance(sql, [...effects.accepted]);
  await recordStatuses(sql, effects.statuses);
  for (const apply of effects.transactions) await apply(sql);
  const displaced = await recordTransactionEvents(sql, effects.transactionEvents);
  // After the transactions: readings are filed under them.
  await recordMeterValues(sql, deps.shapes, effects.readings);
  await quarantine(sql, [...effects.quarantined, ...displaced.map((event) => event.message)]);
  for (const gap of effects.gaps) await recordReportedGap(sql, gap);
  for (const event of effects.commands) {
    if (event.kind === "sent") await recordCommandSent(sql, event.commandId, event.at);
    else await recordCommandOutcome(sql, event.commandId, event.outcome, event.at);
  }
}
