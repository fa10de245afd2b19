import { isOcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { LaneFrame } from "@dynamo-csms/proto/stream-entry";
import type pg from "pg";
import type { Logger } from "pino";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { describeFault, faultKindOf } from "../fault-kind.ts";
import { collectEffects } from "../intake/collect-effects.ts";
import { Effects } from "../intake/effects.ts";
import { writeEffects } from "../intake/write-effects.ts";
import { storableText } from "../message-log/storable-text.ts";
import { findStations } from "../stations/known-station.ts";
import type { MeterShapes } from "../transactions/meter-shapes.ts";
import { type DeadLetterFilter, openDeadLetters } from "./dead-letter-rows.ts";

export interface ReplayDeps {
  pool: pg.Pool;
  /** On connections of their own: a replay holds one of `pool` and must not wait for a second. */
  shapes: MeterShapes;
  log: Logger;
}

export type ReplayOutcome =
  | { kind: "applied" }
  /** Still open; the reason is on record. */
  | { kind: "failing"; reason: string }
  /** Replayed or discarded before. */
  | { kind: "closed" }
  | { kind: "not found" };

/** Two transactions meet seldom; as often as this in a row means that something else is wrong. */
const MAX_RETRIES = 5;
const DAMAGED = "the entry cannot be unpacked";
const UNREADABLE = "what was stored is no frame of a lane";

/**
 * Applies a frame that was set aside once more, as the intake would have: its effects are there once by their business keys,
 * and nothing that came later is overwritten, because every fact yields only to a later (epoch, seq). Effects and the mark on
 * the row are one transaction, so two replays at once apply it once.
 * Throws on an outage, with nothing changed.
 * @param by API key, or cli: and the system account.
 */
export async function replayDeadLetter(deps: ReplayDeps, id: string, by: string): Promise<ReplayOutcome> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await inTransaction(deps.pool, (sql) => replayIn(sql, deps, id, by));
    } catch (fault) {
      if (faultKindOf(fault) !== "retry" || retries >= MAX_RETRIES) throw fault;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** retries));
    }
  }
}

/**
 * Replays open ones, oldest first, each in a transaction of its own.
 * @returns what came of them, and the position after which to go on; undefined: these were all.
 */
export async function replayDeadLetters(
  deps: ReplayDeps,
  filter: Omit<DeadLetterFilter, "status">,
  { limit, after, by, deadlineMs }: { limit: number; after?: string | undefined; by: string; deadlineMs: number },
): Promise<{ applied: number; failing: { id: string; reason: string }[]; next: string | undefined }> {
  const found = await openDeadLetters(sqlOn(deps.pool), filter, { limit: limit + 1, after });
  const failing: { id: string; reason: string }[] = [];
  const giveUpAtMs = performance.now() + deadlineMs;
  let applied = 0;
  let last: string | undefined;
  for (const { id, position } of found.slice(0, limit)) {
    const outcome = await replayDeadLetter(deps, id, by);
    if (outcome.kind === "applied") applied += 1;
    if (outcome.kind === "failing") failing.push({ id, reason: outcome.reason });
    last = position;
    if (performance.now() > giveUpAtMs) break;
  }
  return { applied, failing, next: last === undefined || last === found.at(-1)?.position ? undefined : last };
}

async function replayIn(sql: Sql, deps: ReplayDeps, id: string, by: string): Promise<ReplayOutcome> {
  const [row] = await sql.query<{ lane_id: string; frame: unknown; open: boolean }>(
    `select lane_id, frame, replayed_at is null and discarded_at is null as open from dead_letters where public_id = $1 for update`,
    [id],
  );
  if (row === undefined) return { kind: "not found" };
  if (!row.open) return { kind: "closed" };
  const reason = await apply(sql, deps, row.lane_id, row.frame);
  if (reason === undefined) {
    await sql.query(
      `update dead_letters set replayed_at = now(), replayed_by = $2, tries = tries + 1, tried_at = now() where public_id = $1`,
      [id, by],
    );
    return { kind: "applied" };
  }
  const shown = storableText(reason).slice(0, 1_000);
  await sql.query(
    `update dead_letters set tries = tries + 1, tried_at = now(), last_reason = $2 where public_id = $1`,
    [id, shown],
  );
  return { kind: "failing", reason: shown };
}

/** @returns why it cannot be applied, with nothing of it written; undefined: it is applied. Throws on an outage. */
async function apply(sql: Sql, deps: ReplayDeps, laneId: string, stored: unknown): Promise<string | undefined> {
  const frame = frameOf(stored);
  if (typeof frame === "string") return frame;
  const stations = await findStations(sql, frame.identity === "" ? [] : [frame.identity]);
  const effects = new Effects();
  try {
    // A frame that somebody asks for by hand is worth a line in the message log, a Heartbeat too.
    collectEffects(frame, stations, { logHeartbeats: true }, effects);
  } catch (fault) {
    return describeFault(fault);
  }
  await sql.query("savepoint replay");
  try {
    await writeEffects(sql, effects, { shapes: deps.shapes, laneId, log: deps.log });
    await sql.query("release savepoint replay");
    return undefined;
  } catch (fault) {
    if (faultKindOf(fault) !== "frame") throw fault;
    await sql.query("rollback to savepoint replay");
    await sql.query("release savepoint replay");
    return describeFault(fault);
  }
}

const KINDS = new Set(["inbound", "outbound", "event"]);

/** The frame as it was set aside, by this release or one before; or why there is none. */
function frameOf(stored: unknown): LaneFrame | string {
  if (typeof stored !== "object" || stored === null) return UNREADABLE;
  const { kind, identity, version, epoch, seq, receivedAtMs, text, answer, answeredAfterMs, flagged, ...rest } =
    stored as Record<string, unknown>;
  if ("entry_base64" in rest) return DAMAGED;
  const numbers = [epoch, seq, receivedAtMs];
  if (
    !KINDS.has(kind as string) ||
    typeof identity !== "string" ||
    typeof version !== "string" ||
    !isOcppVersion(version) ||
    typeof text !== "string" ||
    !numbers.every(Number.isSafeInteger)
  )
    return UNREADABLE;
  return {
    kind: kind as LaneFrame["kind"],
    identity: identity as StationIdentity | "",
    version,
    epoch: epoch as number,
    seq: seq as number,
    receivedAtMs: receivedAtMs as number,
    text,
    flagged: flagged === true,
    ...(typeof answer === "string" ? { answer } : {}),
    ...(typeof answeredAfterMs === "number" ? { answeredAfterMs } : {}),
  };
}
