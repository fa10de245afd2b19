import type { Sql } from "../database.ts";
import { recordDataTransfers } from "../data-transfer/record-data-transfers.ts";
import { askBaseReports } from "../device-model/ask-base-report.ts";
import { recordReportParts } from "../device-model/record-reports.ts";
import { recordVariables } from "../device-model/record-variables.ts";
import { recordStationEvents } from "../monitoring/record-station-events.ts";
import { recordSecurityEvents } from "../security-events/record-security-events.ts";
import { recordItems } from "../station-items/record-items.ts";
import { recordNotices } from "../station-notices/record-notices.ts";
import type { Effects } from "./effects.ts";

/** Writes what stations told of themselves; a part of `writeEffects`. */
export async function writeReports(sql: Sql, effects: Effects): Promise<void> {
  await recordVariables(sql, effects.variables);
  // After the variables: a report that is whole takes away those that it did not name.
  await recordReportParts(sql, effects.reportParts);
  await recordItems(sql, effects.items);
  await recordStationEvents(sql, effects.stationEvents);
  await recordNotices(sql, effects.notices);
  await recordSecurityEvents(sql, effects.securityEvents);
  await recordDataTransfers(sql, effects.dataTransfers);
  await askBaseReports(sql, effects.acceptedBoots);
}
