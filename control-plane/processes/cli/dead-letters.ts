import { userInfo } from "node:os";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { openPool, sqlOn } from "../../database.ts";
import {
  DEAD_LETTER_STATUSES,
  type DeadLetterFilter,
  type DeadLetterStatus,
  discardDeadLetter,
  findDeadLetter,
  listDeadLetters,
} from "../../dead-letters/dead-letter-rows.ts";
import { shownDeadLetter, shownWhole } from "../../dead-letters/dead-letter-view.ts";
import { replayDeadLetter, replayDeadLetters } from "../../dead-letters/replay-dead-letters.ts";
import { SCOPES } from "../../http/route.ts";
import { createMeterShapes } from "../../transactions/meter-shapes.ts";
import { type CommandIo, defineCommand, ORG } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { onPostgres, readDatabaseUrl } from "./with-servers.ts";

interface Filter {
  org: string | undefined;
  station: string | undefined;
  reason: string | undefined;
  since: string | undefined;
}

const PAGE = 200;
/** Letters between two reads of the list; each is a transaction of its own. */
const REPLAY_PAGE = 100;

/** Prints what could not be filed, newest first, one JSON object per line: of all organisations, and what is of nobody. */
async function listLetters(flags: Filter & { status: string | undefined }, io: CommandIo): Promise<void> {
  const filter = { ...filterOf(flags), status: statusOf(flags.status) };
  await onPostgres(io, async (pool) => {
    for (let before: string | undefined; ;) {
      const page = await listDeadLetters(sqlOn(pool), filter, { limit: PAGE, before });
      for (const row of page) io.print({ ...shownDeadLetter(row), identity: row.identity });
      if (page.length < PAGE) return;
      before = page.at(-1)?.position;
    }
  });
}

/** Prints one with its frame. */
async function showLetter({ id }: { id: string }, io: CommandIo): Promise<void> {
  await onPostgres(io, async (pool) => {
    const row = await findDeadLetter(sqlOn(pool), id, undefined);
    if (row === undefined)
      throw new CliMistake(`there is no dead letter ${id}: \`dead-letters list --status all\` shows them`);
    io.print({ ...shownWhole(row, SCOPES), identity: row.identity });
  });
}

/** Applies one, or all that match, once more. A line for each that still fails, and the sum; exit code 1 when there is one. */
async function replayLetters(
  flags: Filter & { id: string | undefined; all: boolean | undefined },
  io: CommandIo,
): Promise<void> {
  const filter = filterOf(flags);
  const { id } = flags;
  if ((id === undefined) === (flags.all !== true))
    throw new CliMistake("want --id, or --all with or without --station, --reason, --since and --org");
  const shapesPool = openPool(readDatabaseUrl(io), 1, "dynamo cli shapes");
  try {
    await onPostgres(io, async (pool) => {
      const deps = {
        pool,
        shapes: createMeterShapes(sqlOn(shapesPool)),
        log: createLogger("warn", "cli", { destination: process.stderr }),
      };
      const by = actor();
      let [applied, failed] = [0, 0];
      const failing = (letter: { id: string; reason: string }) => {
        failed += 1;
        io.print({ dead_letter_id: letter.id, outcome: "failing", reason: letter.reason });
      };
      if (id !== undefined) {
        const outcome = await replayDeadLetter(deps, id, by);
        if (outcome.kind === "not found")
          throw new CliMistake(`there is no dead letter ${id}: \`dead-letters list --status all\` shows them`);
        if (outcome.kind === "closed") throw new CliMistake(`${id} was replayed or discarded already`);
        if (outcome.kind === "applied") applied += 1;
        else failing({ id, reason: outcome.reason });
      } else {
        let after: string | undefined;
        do {
          const page = await replayDeadLetters(deps, filter, { limit: REPLAY_PAGE, after, by, deadlineMs: Infinity });
          applied += page.applied;
          page.failing.forEach(failing);
          after = page.next;
        } while (after !== undefined);
      }
      io.print({ applied, failing: failed });
      if (failed > 0) io.fail();
    });
  } finally {
    await shapesPool.end();
  }
}

/** Gives one up. */
async function discardLetter({ id, why }: { id: string; why: string }, io: CommandIo): Promise<void> {
  if (why.length > 300) throw new CliMistake("--why: at most 300 characters");
  await onPostgres(io, async (pool) => {
    const outcome = await discardDeadLetter(sqlOn(pool), id, { by: actor(), why });
    if (outcome === "not found")
      throw new CliMistake(`there is no dead letter ${id}: \`dead-letters list --status all\` shows them`);
    if (outcome === "closed") throw new CliMistake(`${id} was replayed or discarded already`);
    io.print({ dead_letter_id: id, status: "discarded" });
  });
}

/** Who does it, as rows have it. */
export const actor = (): string => `cli:${userInfo().username}`;

function filterOf({ org, station, reason, since }: Filter): Omit<DeadLetterFilter, "status"> {
  if (since !== undefined && Number.isNaN(Date.parse(since)))
    throw new CliMistake("--since: want a time such as 2026-05-01T10:00:00Z");
  return {
    orgId: org,
    reason,
    since: since === undefined ? undefined : new Date(since),
    // An id of ours is an identity too, for units that were registered here: then it is both.
    identity: station?.toLowerCase(),
  };
}

function statusOf(text: string | undefined): DeadLetterStatus | undefined {
  if (text === undefined) return "open";
  if (text === "all") return undefined;
  const status = DEAD_LETTER_STATUSES.find((known) => known === text);
  if (status === undefined) throw new CliMistake(`--status: want one of ${DEAD_LETTER_STATUSES.join(", ")}, all`);
  return status;
}

const FILTER = {
  station: { value: "IDENTITY", help: "of this charge point alone" },
  reason: { value: "TEXT", help: "with this in the reason" },
  since: { value: "TIME", help: "set aside since, such as 2026-05-01T10:00:00Z" },
  org: { ...ORG, help: "of this organisation alone; else of all, and of nobody" },
} as const;
const ID = { value: "ID", required: true, help: "as `dead-letters list` has it" } as const;

/** What was answered and could not be filed. */
export const deadLetterCommands = [
  defineCommand({
    name: "dead-letters list",
    summary: "Prints what charge points were answered and could not be filed, newest first.",
    flags: {
      status: {
        value: "STATUS",
        help: "open (if nothing is said), replayed, discarded, all",
        choices: [...DEAD_LETTER_STATUSES, "all"],
      },
      ...FILTER,
    },
    examples: ["dead-letters list --status all"],
    columns: ["dead_letter_id", "status", "set_aside_at", "identity", "action", "tries", "reason"],
    reads: true,
    run: listLetters,
  }),
  defineCommand({
    name: "dead-letters show",
    summary: "Prints a dead letter with its frame.",
    flags: { id: ID },
    examples: ["dead-letters show --id dl_00000000000000000000000000000001"],
    reads: true,
    run: showLetter,
  }),
  defineCommand({
    name: "dead-letters replay",
    summary: "Applies one dead letter or all that match once more, oldest first.",
    more: "Prints those that still fail, and how many were applied. Exit code 1 when one still fails.",
    flags: { id: { value: "ID", help: ID.help }, all: { help: "all that match" }, ...FILTER },
    examples: [
      "dead-letters replay --id dl_00000000000000000000000000000001",
      `dead-letters replay --all --reason "SQLSTATE 22003 meter_values"`,
    ],
    run: replayLetters,
  }),
  defineCommand({
    name: "dead-letters discard",
    summary: "Gives a dead letter up.",
    flags: { id: ID, why: { value: "TEXT", required: true, help: "for whoever asks later" } },
    examples: [`dead-letters discard --id dl_00000000000000000000000000000002 --why "a test unit"`],
    run: discardLetter,
  }),
];
