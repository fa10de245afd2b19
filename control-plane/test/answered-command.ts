import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type pg from "pg";
import { expect } from "vitest";
import { recordCommandOutcome } from "../commands/record-outcome.ts";
import { inTransaction, sqlOn } from "../database.ts";
import { newId } from "../ids.ts";
import type { TestStation } from "./registered-station.ts";

export type AnsweredCommand = [
  station: TestStation,
  version: OcppVersion,
  action: string,
  payload: object,
  response: object,
  as: { seq: number; state?: "accepted" | "rejected" },
];

/** A command that the station answered, as its `seq`th frame of the epoch; with all effects of that. */
export async function recordAnswer(
  pool: pg.Pool,
  orgId: string,
  epoch: number,
  [station, version, action, payload, response, { seq, state = "accepted" }]: AnsweredCommand,
): Promise<void> {
  const commandId = newId("cmd");
  await sqlOn(pool).query(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, epoch, deadline_at)
     values ($1, $2, $3, $4, $5, $6, 'key_1', 'published', $7, now() + interval '1 minute')`,
    [commandId, orgId, station.id, version, action, JSON.stringify(payload), epoch],
  );
  const outcome = {
    state,
    response: JSON.stringify(response),
    sentAtMs: Date.now(),
    answeredAtMs: Date.now(),
    answeredAs: { epoch, seq },
  };
  const faults: unknown[] = [];
  const log = { error: (fields: object) => void faults.push(fields) };
  await inTransaction(pool, (sql) =>
    recordCommandOutcome(sql, { commandId, outcome, at: new Date(), epoch }, { log: log as never }),
  );
  expect(faults).toEqual([]);
}
