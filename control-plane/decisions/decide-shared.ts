import type { StationCall } from "@dynamo-csms/proto/generated/station_decisions";
import { isOcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { Logger } from "pino";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { describeFault, faultKindOf } from "../fault-kind.ts";
import { inBatchTransaction } from "../intake/batch-sql.ts";
import { findStations } from "../stations/known-station.ts";
import { inRounds } from "../transactions/in-rounds.ts";
import { preparedSqlOn } from "../prepared-sql.ts";
import { type Answer, notOnRecord, questionOf, toAnswer } from "./answer.ts";
import type { DecisionDeps, Question, SharedStep } from "./decision.ts";
import { decisionStepFor } from "./decision-tables.ts";

/** One that is in somebody's way for longer is decided alone, so that its neighbours go on. */
const LOCK_WAIT = "200ms";

/** Whether the call may be decided together with others. */
export const isShared = (call: StationCall): boolean =>
  isOcppVersion(call.ocppVersion) && typeof decisionStepFor(call.ocppVersion, call.action) !== "function";

/**
 * START HERE. Decides CALLs that came together, of whatever stations and organisations, in one transaction: committed once,
 * before any of them is answered. One that cannot be stored costs its neighbours nothing but time: the others are decided
 * without it. Never rejects.
 * @param calls isShared, each.
 * @returns answers in the calls' order; undefined for one that is to be decided alone (decideCall), because Postgres
 * refused them together for no fault of a message: a lock, a deadlock, a connection that broke.
 */
export async function decideTogether(
  calls: readonly StationCall[],
  deps: DecisionDeps & { log: Logger },
): Promise<(Answer | undefined)[]> {
  if (calls.length === 1) return [undefined];
  try {
    return await decideShared(calls, deps);
  } catch (fault) {
    const kind = faultKindOf(fault);
    deps.log.warn({ calls: calls.length, kind, reason: describeFault(fault) }, "calls not decided together");
    if (kind !== "frame") return calls.map(() => undefined);
    const middle = Math.ceil(calls.length / 2);
    const first = await decideTogether(calls.slice(0, middle), deps);
    return [...first, ...(await decideTogether(calls.slice(middle), deps))];
  }
}

/** The same, but for the one attempt and all of them: what fails is thrown, with nothing changed. */
export async function decideShared(calls: readonly StationCall[], deps: DecisionDeps): Promise<Answer[]> {
  const steps = calls.map((call) => sharedStepFor(call));
  const writes = steps.some((step) => step.writes);
  // Alone, planning takes longer than the work itself. Of a batch it is a small part, and the plan fits its size.
  if (calls.length === 1) {
    const decide = (sql: Sql) => decideOn(sql, calls, steps, deps);
    return writes ? inBatchTransaction(deps.pool, false, decide) : decide(preparedSqlOn(deps.pool));
  }
  if (!writes) return decideOn(sqlOn(deps.pool), calls, steps, deps);
  return inTransaction(deps.pool, async (sql) => {
    await sql.query(`set local lock_timeout = '${LOCK_WAIT}'`);
    return decideOn(sql, calls, steps, deps);
  });
}

function sharedStepFor({ ocppVersion, action }: StationCall): SharedStep {
  const step = isOcppVersion(ocppVersion) ? decisionStepFor(ocppVersion, action) : undefined;
  if (step === undefined || typeof step === "function") throw new Error(`${action} is not decided with others`);
  return step;
}

async function decideOn(
  given: Sql,
  calls: readonly StationCall[],
  steps: readonly SharedStep[],
  deps: DecisionDeps,
): Promise<Answer[]> {
  const sql = deps.traces?.watch(given, calls) ?? given;
  const stations = await findStations(sql, [...new Set(calls.map(({ identity }) => identity))]);
  const answers = calls.map(() => notOnRecord);
  const asked = calls.flatMap((call, place) => {
    const question = questionOf(call, stations);
    return question === undefined ? [] : [{ question, place, step: steps[place] as SharedStep }];
  });
  // What a station asked later goes by what it asked before.
  for (const round of inRounds(asked, ({ question }) => question.station.id))
    for (const [step, ofStep] of Map.groupBy(round, ({ step: each }) => each)) {
      const questions: Question[] = ofStep.map(({ question }) => question);
      const decisions = await step.decide(questions, sql, deps);
      for (const [index, { place }] of ofStep.entries()) {
        const decision = decisions[index];
        if (decision === undefined) throw new Error("a question without a decision");
        answers[place] = toAnswer(decision);
      }
    }
  return answers;
}
