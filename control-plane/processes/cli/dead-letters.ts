import { userInfo } from "node:os";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import type { Environment } from "@dynamo-csms/proto/process/environment";
import type pg from "pg";
import { ConfigReader } from "../../config-reader.ts";
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
import { CliMistake, required } from "./cli-mistake.ts";

interface Flags {
  id?: string | undefined;
  all?: boolean | undefined;
  org?: string | undefined;
  status?: string | undefined;
  station?: string | undefined;
  reason?: string | undefined;
  since?: string | undefined;
  why?: string | undefined;
}
type ReadFile = (path: string) => string;

const PAGE = 200;
/** Letters between two reads of the list; each is a transaction of its own. */
const REPLAY_PAGE = 100;

/** Prints what could not be filed, newest first, one JSON object per line: of all organisations, and what is of nobody. */
export async function listLetters(flags: Flags, env: Environment, readFile: ReadFile): Promise<void> {
  const filter = { ...filterOf(flags), status: statusOf(flags.status) };
  await onPostgres(env, readFile, async (pool) => {
    for (let before: string | undefined; ;) {
      const page = await listDeadLetters(sqlOn(pool), filter, { limit: PAGE, before });
      for (const row of page) console.log(JSON.stringify({ ...shownDeadLetter(row), identity: row.identity }));
      if (page.length < PAGE) return;
      before = page.at(-1)?.position;
    }
  });
}

/** Prints one with its frame. */
export async function showLetter(flags: Flags, env: Environment, readFile: ReadFile): Promise<void> {
  const id = required(flags.id, "id");
  await onPostgres(env, readFile, async (pool) => {
    const row = await findDeadLetter(sqlOn(pool), id, undefined);
    if (row === undefined) throw new CliMistake(`there is no dead letter ${id}`);
    console.log(JSON.stringify({ ...shownWhole(row, SCOPES), identity: row.identity }));
  });
}

/** Applies one, or all that match, once more. A line for each that still fails, and the sum; exit code 1 when there is one. */
export async function replayLetters(flags: Flags, env: Environment, readFile: ReadFile): Promise<void> {
  const filter = filterOf(flags);
  const { id } = flags;
  if ((id === undefined) === (flags.all !== true))
    throw new CliMistake("want --id, or --all with or without --station, --reason, --since and --org");
  await onPostgres(env, readFile, async (pool, shapesPool) => {
    const deps = {
      pool,
      shapes: createMeterShapes(sqlOn(shapesPool)),
      log: createLogger("warn", "cli", { destination: process.stderr }),
    };
    const by = actor();
    let [applied, failed] = [0, 0];
    const failing = (letter: { id: string; reason: string }) => {
      failed += 1;
      console.log(JSON.stringify({ dead_letter_id: letter.id, outcome: "failing", reason: letter.reason }));
    };
    if (id !== undefined) {
      const outcome = await replayDeadLetter(deps, id, by);
      if (outcome.kind === "not found") throw new CliMistake(`there is no dead letter ${id}`);
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
    console.log(JSON.stringify({ applied, failing: failed }));
    if (failed > 0) process.exitCode = 1;
  });
}

/** Gives one up. */
export async function discardLetter(flags: Flags, env: Environment, readFile: ReadFile): Promise<void> {
  const id = required(flags.id, "id");
  const why = required(flags.why, "why");
  if (why.length > 300) throw new CliMistake("--why: at most 300 characters");
  await onPostgres(env, readFile, async (pool) => {
    const outcome = await discardDeadLetter(sqlOn(pool), id, { by: actor(), why });
    if (outcome === "not found") throw new CliMistake(`there is no dead letter ${id}`);
    if (outcome === "closed") throw new CliMistake(`${id} was replayed or discarded already`);
    console.log(JSON.stringify({ dead_letter_id: id, status: "discarded" }));
  });
}

/** Who does it, as rows have it. */
export const actor = (): string => `cli:${userInfo().username}`;

function filterOf({ org, station, reason, since }: Flags): Omit<DeadLetterFilter, "status"> {
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

async function onPostgres(
  env: Environment,
  readFile: ReadFile,
  run: (pool: pg.Pool, shapesPool: pg.Pool) => Promise<void>,
): Promise<void> {
  const read = new ConfigReader(env, readFile);
  const { databaseUrl } = read.finish({ databaseUrl: read.databaseUrl() });
  const pools = [openPool(databaseUrl, 1, "dynamo cli"), openPool(databaseUrl, 1, "dynamo cli shapes")] as const;
  try {
    await run(...pools);
  } finally {
    await Promise.all(pools.map((pool) => pool.end()));
  }
}
