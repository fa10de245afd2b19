import { recordChargingReports } from "../charging-profiles/record-charging-reports.ts";
import { recordProfileReports } from "../charging-profiles/record-profile-reports.ts";
import type { Sql } from "../database.ts";
import { recordTransferReports } from "../firmware/record-transfer-reports.ts";
import { recordReservationUpdates } from "../reservations/record-reservations.ts";
import type { Effects } from "./effects.ts";

/** What stations say of what commands set up in them: behind those commands' own outcomes, which come first in a lane. */
export async function writeChargePointSettings(sql: Sql, effects: Effects): Promise<void> {
  await recordTransferReports(sql, effects.transferReports);
  await recordChargingReports(sql, effects.chargingReports);
  await recordProfileReports(sql, effects.profileReports);
  await recordReservationUpdates(sql, effects.reservations);
}
