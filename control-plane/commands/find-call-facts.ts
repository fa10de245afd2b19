import { randomInt } from "node:crypto";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { Sql } from "../database.ts";
import type { CommandableStation } from "./find-commandable-station.ts";
import type { CallFacts, OperatorCommand, ParameterMistake, ParametersOf } from "./operator-commands.ts";

/** Reads what the translation of an operator's command needs to know beside its parameters. */
export async function findCallFacts(
  sql: Sql,
  station: CommandableStation,
  command: OperatorCommand,
  parameters: unknown,
): Promise<Result<CallFacts, ParameterMistake>> {
  const facts = { now: new Date(), requestId: randomInt(1, 2_147_483_647) };
  if (command === "stop_session") {
    const transaction = await transactionOf(sql, station, parameters as ParametersOf<"stop_session">);
    return transaction.ok ? ok({ ...facts, transactionId: transaction.value }) : transaction;
  }
  if (command === "unlock_connector" && station.version !== "1.6") {
    const { connector_id } = parameters as ParametersOf<"unlock_connector">;
    const rows = await sql.query<{ connector_id: number }>(
      "select connector_id from connector_status where station_id = $1 and evse_id = $2 order by connector_id",
      [station.id, connector_id],
    );
    return ok({ ...facts, evseConnectors: rows.map((row) => row.connector_id) });
  }
  return ok(facts);
}

/** A session of another station or organisation is not found; the station's own id is taken at its word. */
async function transactionOf(
  sql: Sql,
  station: CommandableStation,
  { transaction_id, session_id }: ParametersOf<"stop_session">,
): Promise<Result<string, ParameterMistake>> {
  if (transaction_id !== undefined && session_id !== undefined)
    return err({ parameter: "session_id", detail: "`transaction_id` and `session_id` say the same: give one of them" });
  const given = session_id ?? transaction_id;
  if (given === undefined)
    return err({ parameter: "transaction_id", detail: "`transaction_id` or `session_id` is required" });
  const parameter = session_id === undefined ? "transaction_id" : "session_id";
  const [row] = await sql.query<{ transaction_id: string }>(
    "select transaction_id from transactions where session_id = $1 and station_id = $2",
    [String(given), station.id],
  );
  if (row !== undefined) return ok(row.transaction_id);
  if (session_id !== undefined || String(given).startsWith("sess_"))
    return err({ parameter, detail: "this charge point has no such session" });
  return ok(String(given));
}
