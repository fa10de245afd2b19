import type { Sql } from "../database.ts";
import type { FactOrder } from "../stations/fact-order.ts";
import type { KnownStation } from "../stations/known-station.ts";
import { recordEvents } from "../webhooks/record-event.ts";

/** An Authorize that was answered Accepted. */
export interface Authorization extends FactOrder {
  station: KnownStation;
  idToken: string;
  receivedAt: Date;
}

/** Tells session.authorized of each. Call it once per frame: in the transaction that moves the lane's offset past it. */
export async function tellAuthorizations(sql: Sql, authorizations: readonly Authorization[]): Promise<void> {
  await recordEvents(
    sql,
    authorizations.map(({ station, epoch, seq, idToken, receivedAt }) => ({
      orgId: station.orgId,
      type: "session.authorized",
      occurredAt: receivedAt,
      key: [station.chargePointId, epoch, seq],
      data: {
        charge_point_id: station.chargePointId,
        project_id: station.projectId,
        id_token: idToken,
        authorized_at: receivedAt.toISOString(),
      },
    })),
  );
}
