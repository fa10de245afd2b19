import type { RequestPayload, ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { originOf } from "../commands/answer-order.ts";
import type { EndedCommand, OutcomeEffect } from "../commands/outcome-effects.ts";
import type { Sql } from "../database.ts";
import { isObject } from "../transactions/read-fields.ts";
import { BASE_REPORT_REQUESTER, noteBaseReportAnswer } from "./ask-base-report.ts";
import {
  factOfChangeConfiguration,
  factsOfConfiguration,
  factsOfGetVariables,
  factsOfSetVariables,
} from "./read-variables.ts";
import { recordVariables } from "./record-variables.ts";

// Payloads and responses were checked against their schemas, the one before it was sent, the other when it came.

type Version2 = "2.0.1" | "2.1";

const getVariables: OutcomeEffect = async (sql, command) => {
  if (command.response === undefined) return;
  const response = command.response as ResponsePayload<Version2, "GetVariables">;
  await recordVariables(sql, factsOfGetVariables(response, originOf(command)));
};

const setVariables: OutcomeEffect = async (sql, command) => {
  if (command.response === undefined) return;
  const request = command.payload as RequestPayload<Version2, "SetVariables">;
  const response = command.response as ResponsePayload<Version2, "SetVariables">;
  await recordVariables(sql, factsOfSetVariables(request, response, originOf(command)));
};

const getConfiguration: OutcomeEffect = async (sql, command) => {
  if (command.response !== undefined)
    await recordVariables(
      sql,
      factsOfConfiguration(command.response as ResponsePayload<"1.6", "GetConfiguration">, originOf(command)),
    );
  await followBaseReport(sql, command, undefined);
};

const changeConfiguration: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const request = command.payload as RequestPayload<"1.6", "ChangeConfiguration">;
  await recordVariables(sql, [factOfChangeConfiguration(request, originOf(command))]);
};

const getBaseReport: OutcomeEffect = (sql, command) =>
  followBaseReport(sql, command, (command.payload as RequestPayload<Version2, "GetBaseReport">).requestId);

async function followBaseReport(sql: Sql, command: EndedCommand, requestId: number | undefined): Promise<void> {
  if (command.requestedBy !== BASE_REPORT_REQUESTER) return;
  if (command.state === "accepted")
    await noteBaseReportAnswer(sql, command.stationId, requestId === undefined ? "complete" : "answered", requestId);
  else if (await cannotTell(sql, command)) await noteBaseReportAnswer(sql, command.stationId, "refused", requestId);
}

/** For good: it has no such report, or does not know the action. "Rejected" is for now (P2 B07.FR.13). */
async function cannotTell(sql: Sql, { state, response, commandId }: EndedCommand): Promise<boolean> {
  if (state === "rejected")
    return isObject(response) && (response["status"] === "NotSupported" || response["status"] === "EmptyResultSet");
  if (state !== "error") return false;
  const rows = await sql.query(
    "select 1 from commands where id = $1 and error->>'code' in ('NotImplemented', 'NotSupported')",
    [commandId],
  );
  return rows.length > 0;
}

/** What commands that read or change a station's settings come to, by action. */
export const VARIABLE_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [
  ["ChangeConfiguration", changeConfiguration],
  ["GetBaseReport", getBaseReport],
  ["GetConfiguration", getConfiguration],
  ["GetVariables", getVariables],
  ["SetVariables", setVariables],
];
