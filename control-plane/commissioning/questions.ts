import type { Sql } from "../database.ts";
import type { CheckState } from "./advance-checks.ts";
import type { CheckName, Question, QuestionState } from "./check-scene.ts";

interface CommandRow {
  id: string;
  state: string;
  asked_at: Date;
  final_at: Date | null;
  response: { status?: unknown } | null;
  error: { code?: unknown } | null;
}

/** What became of the last CALL of each check. */
export async function loadQuestions(
  sql: Sql,
  checks: readonly CheckState[],
  now: Date,
  unwrittenAfterMs: number,
): Promise<Map<CheckName, Question>> {
  const asked = checks.filter((check) => check.questionId !== null);
  if (asked.length === 0) return new Map();
  const rows = await sql.query<CommandRow>(
    // sent_at is of the gateway's clock, as the messages that it brings are.
    "select id, state, coalesce(sent_at, created_at) as asked_at, final_at, response, error from commands where id = any($1::text[])",
    [asked.map((check) => check.questionId)],
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  return new Map(
    asked.map((check) => {
      const row = byId.get(check.questionId as string);
      if (row !== undefined)
        return [check.name, { state: questionState(row), askedAt: row.asked_at, endedAt: row.final_at ?? undefined }];
      // Noted and not written: its process is about to, or died before.
      const askedAt = check.askedAt ?? now;
      const state: QuestionState = now.getTime() - askedAt.getTime() >= unwrittenAfterMs ? "lost" : "open";
      return [check.name, { state, askedAt, endedAt: undefined }];
    }),
  );
}

/** Reads a command's final state as an answer to a TriggerMessage (1.6 §6.34, 2.x TriggerMessageStatusEnumType). */
export function questionState(command: Pick<CommandRow, "state" | "response" | "error">): QuestionState {
  switch (command.state) {
    case "accepted":
      return "accepted";
    case "rejected":
      return command.response?.status === "NotImplemented" ? "unsupported" : "rejected";
    case "error":
      return command.error?.code === "NotImplemented" || command.error?.code === "NotSupported"
        ? "unsupported"
        : "rejected";
    case "timeout":
    case "unknown":
    case "not_connected":
      return "lost";
    default:
      return "open";
  }
}
