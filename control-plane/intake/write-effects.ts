import { restoreRequests } from "../certificates/certificate-requests.ts";
import { recordCertificateUses } from "../certificates/first-uses.ts";
import { recordCommandOutcome, recordCommandSent } from "../commands/record-outcome.ts";
import type { OutcomeDeps } from "../commands/run-outcome-effects.ts";
import { wakeWaitingCommands } from "../commands/waiting-commands.ts";
import { confirmLogins } from "../credentials/confirm-logins.ts";
import { endChangeOfLostCommand } from "../credentials/password-outcome.ts";
import type { Sql } from "../database.ts";
import { recordFrames } from "../message-log/record-frames.ts";
import { recordOversizedFrames, recordQuirks } from "../quirks/record-quirks.ts";
import { recordBoots, restoreAcceptance } from "../stations/record-boot.ts";
import { recordConnections } from "../stations/record-connection.ts";
import { recordSeen } from "../stations/record-seen.ts";
import { recordStatuses } from "../stations/record-status.ts";
import { tellAuthorizations } from "../sessions/tell-authorizations.ts";
import { quarantine } from "../transactions/quarantine.ts";
import { recordTransactionEvents } from "../transactions/record-events.ts";
import type { MeterShapes } from "../transactions/meter-shapes.ts";
import type { NewestSamples } from "../transactions/newest-samples.ts";
import { recordMeterValues } from "../transactions/record-meter-values.ts";
import { recordSettlements } from "../transactions/record-settlements.ts";
import { recordSignedSamples } from "../transactions/record-signed-samples.ts";
import type { Effects } from "./effects.ts";
import { dropExplainedGaps, recordReportedGap } from "./lane-rows.ts";
import { writeChargePointSettings } from "./write-charge-point-settings.ts";
import { writeReports } from "./write-reports.ts";

/**
 * Writes what was collected, inside the batch's transaction. Every intake writes the tables in this order and the rows of
 * each in key order, so that two of them seldom wait for each other in a circle.
 */
export async function writeEffects(
  sql: Sql,
  effects: Effects,
  deps: { shapes: MeterShapes; laneId: string; newest?: NewestSamples | undefined } & OutcomeDeps,
): Promise<void> {
  await recordFrames(sql, effects.frames, deps.laneId);
  await recordSeen(sql, effects.seen);
  await recordConnections(sql, effects.connections);
  await recordBoots(sql, effects.boots);
  await restoreAcceptance(sql, [...effects.accepted]);
  await confirmLogins(sql, effects.passwordLogins);
  await recordCertificateUses(sql, effects.certificateUses);
  await restoreRequests(sql, effects.signingRequests);
  await wakeWaitingCommands(sql, effects.reachable);
  await recordStatuses(sql, effects.statuses);
  await tellAuthorizations(sql, effects.authorizations);
  for (const apply of effects.transactions) await apply(sql);
  const displaced = await recordTransactionEvents(sql, effects.transactionEvents);
  // After the transactions: readings are filed under them.
  await recordMeterValues(sql, deps.shapes, effects.readings, deps.newest);
  await recordSignedSamples(sql, effects.signedSamples);
  await recordSettlements(sql, effects.settlements);
  await quarantine(sql, [...effects.quarantined, ...displaced.map((event) => event.message)]);
  await recordQuirks(sql, effects.quirks);
  await recordOversizedFrames(sql, effects.oversized);
  await writeReports(sql, effects);
  for (const gap of effects.gaps) await recordReportedGap(sql, gap);
  for (const skipped of effects.skipped) await dropExplainedGaps(sql, skipped);
  for (const event of effects.commands) {
    if (event.kind === "sent") await recordCommandSent(sql, event.commandId, event.at);
    else if (!(await recordCommandOutcome(sql, event, deps)))
      await endChangeOfLostCommand(sql, event.commandId, event.outcome);
  }
  await writeChargePointSettings(sql, effects);
}
