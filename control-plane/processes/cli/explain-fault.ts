import { BadConfiguration, describeMistakes } from "@dynamo-csms/proto/process/bad-configuration";
import { isOutage } from "../../http/outage.ts";
import { reasonOf } from "../../operations/doctor/run-checks.ts";
import { CliMistake, ServerAway } from "./cli-mistake.ts";

/** Exit codes, as docs/cli.md has them. */
export const EXIT = { done: 0, failed: 1, mistake: 2, away: 3, interrupted: 130 } as const;

/** SQLSTATE → what to do about it. */
const POSTGRES: Readonly<Record<string, string>> = {
  "42P01":
    "the database does not have the schema of this release: run `migrate` (`migrate --pending` says what is missing)",
  "42703":
    "the database does not have the schema of this release: run `migrate` (`migrate --pending` says what is missing)",
  "28P01": "Postgres refuses the user or the password: see to DATABASE_URL",
  "28000": "Postgres refuses the user: see to DATABASE_URL and to pg_hba.conf",
  "3D000": "there is no such database: see to DATABASE_URL",
  "42501": "Postgres denies this to the user of DATABASE_URL",
};

const FILES: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "may not be read or written by you",
  EISDIR: "is a folder",
  ENOTDIR: "is not in a folder",
  EEXIST: "exists already",
  ENOSPC: "has no room: the disk is full",
  EROFS: "is on a file system that cannot be written",
};

/** What a person is told of a fault, and the exit code. Never a stack, unless `withStack`, and never a value of a row. */
export function explainFault(fault: unknown, withStack: boolean): { text: string; exitCode: number } {
  if (fault instanceof BadConfiguration)
    return { text: describeMistakes("cli", fault.mistakes).trimEnd(), exitCode: EXIT.mistake };
  if (fault instanceof CliMistake) return { text: fault.message, exitCode: EXIT.mistake };
  if (fault instanceof ServerAway) return { text: fault.message, exitCode: EXIT.away };
  for (const at of causes(fault)) {
    const { code, path } = at as { code?: unknown; path?: unknown };
    const text = typeof code === "string" ? POSTGRES[code] : undefined;
    if (text !== undefined) return { text, exitCode: EXIT.mistake };
    const file = typeof code === "string" && typeof path === "string" ? FILES[code] : undefined;
    if (file !== undefined) return { text: `${String(path)}: ${file}`, exitCode: EXIT.mistake };
  }
  if (isOutage(fault))
    return {
      text: `Postgres or Redis cannot be used now: ${reasonOf(fault)}. \`doctor\` says more; then try again.`,
      exitCode: EXIT.away,
    };
  const stack = withStack && fault instanceof Error ? `\n${fault.stack ?? ""}` : "";
  return {
    text: `Unexpected: ${reasonOf(fault)}. This should not happen; LOG_LEVEL=debug shows where, and \`doctor\` whether something is wrong around it.${stack}`,
    exitCode: EXIT.failed,
  };
}

function* causes(fault: unknown): Generator<Error> {
  let at = fault;
  for (let depth = 0; at instanceof Error && depth < 5; depth += 1) {
    yield at;
    at = at.cause;
  }
}
