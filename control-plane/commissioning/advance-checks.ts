import { checkConnection } from "./check-connection.ts";
import { checkFirmware } from "./check-firmware.ts";
import { checkHeartbeat } from "./check-heartbeat.ts";
import { checkMeter } from "./check-meter.ts";
import {
  type Check,
  CHECK_NAMES,
  type CheckName,
  type CheckStatus,
  isOpen,
  type Question,
  type StationFacts,
  type Verdict,
} from "./check-scene.ts";

/** One check as its row has it. */
export interface CheckState {
  name: CheckName;
  status: CheckStatus;
  value: string | null;
  cause: string | null;
  remedy: string | null;
  /** Questions asked in this run of the check, and the id of the last one's command. */
  asked: number;
  questionId: string | null;
  askedAt: Date | null;
  startedAt: Date | null;
  deadlineAt: Date | null;
  nextAttemptAt: Date | null;
  finishedAt: Date | null;
}

/** How long each check may take from when it can start. */
export type CheckDeadlines = Readonly<Record<CheckName, number>>;

export interface Advance {
  checks: CheckState[];
  /** CALLs to send once this is committed; each is noted in its check under a new command id. */
  asks: { name: CheckName; commandId: string; action: string; payload: Record<string, unknown> }[];
}

export interface AdvanceInput {
  checks: readonly CheckState[];
  now: Date;
  facts: StationFacts;
  questions: ReadonlyMap<CheckName, Question>;
  connectivityTest: boolean;
  deadlinesMs: CheckDeadlines;
  /** Whether CALLs may be sent; a request only looks and leaves the asking to the job. */
  mayAsk: boolean;
  /** A question that nothing was heard of is looked at again after this. */
  questionTimeoutMs: number;
  newCommandId(): string;
}

const CHECKS: Record<CheckName, Check> = {
  ocpp_connection: checkConnection,
  heartbeat: checkHeartbeat,
  meter_calibration: checkMeter,
  firmware_version: checkFirmware,
};

/** Moves every open check on by what is known now. Decides only: nothing is read, sent or written. */
export function advanceChecks(input: AdvanceInput): Advance {
  const asks: Advance["asks"] = [];
  let connection: CheckStatus = "passed";
  // CHECK_NAMES starts with the connection: the others go by what it has become.
  const byName = new Map(input.checks.map((check) => [check.name, check]));
  const advanced = CHECK_NAMES.flatMap((name) => {
    const check = byName.get(name);
    if (check === undefined) return [];
    const next = advanceOne(check, connection, input, asks);
    if (name === "ocpp_connection") connection = next.status;
    return [next];
  });
  return { checks: advanced, asks };
}

function advanceOne(
  check: CheckState,
  connection: CheckStatus,
  input: AdvanceInput,
  asks: Advance["asks"],
): CheckState {
  if (!isOpen(check.status)) return check;
  if (check.name !== "ocpp_connection" && isOpen(connection)) return check;
  if (check.name !== "ocpp_connection" && connection === "failed")
    return ended(check, input.now, {
      kind: "failed",
      cause: "The charge point is not connected.",
      remedy: "See ocpp_connection.",
    });

  const started: CheckState =
    check.status === "in_progress"
      ? check
      : {
          ...check,
          status: "in_progress",
          startedAt: input.now,
          deadlineAt: new Date(input.now.getTime() + input.deadlinesMs[check.name]),
        };
  const { decide, giveUp } = CHECKS[check.name];
  const scene = {
    now: input.now,
    facts: input.facts,
    question: input.questions.get(check.name),
    asked: check.asked,
    connectivityTest: input.connectivityTest,
  };
  const verdict = decide(scene);
  if (verdict.kind === "passed" || verdict.kind === "failed" || verdict.kind === "skipped")
    return ended(started, input.now, verdict);
  if (started.deadlineAt !== null && input.now >= started.deadlineAt)
    return ended(started, input.now, { kind: "failed", ...giveUp(scene) });
  if (verdict.kind === "waiting")
    return { ...started, nextAttemptAt: soonest(input.now, verdict.againInMs, started.deadlineAt) };
  if (!input.mayAsk) return { ...started, nextAttemptAt: input.now };
  const commandId = input.newCommandId();
  asks.push({ name: check.name, commandId, action: verdict.action, payload: verdict.payload });
  return {
    ...started,
    asked: check.asked + 1,
    questionId: commandId,
    askedAt: input.now,
    nextAttemptAt: soonest(input.now, input.questionTimeoutMs, started.deadlineAt),
  };
}

const soonest = (now: Date, inMs: number, deadline: Date | null): Date =>
  new Date(Math.min(now.getTime() + inMs, deadline?.getTime() ?? Infinity));

function ended(
  check: CheckState,
  now: Date,
  verdict: Extract<Verdict, { kind: "passed" | "failed" | "skipped" }>,
): CheckState {
  return {
    ...check,
    status: verdict.kind,
    value: verdict.kind === "passed" ? (verdict.value ?? null) : null,
    cause: verdict.kind === "passed" ? null : verdict.cause,
    remedy: verdict.kind === "failed" ? verdict.remedy : null,
    startedAt: check.startedAt ?? now,
    deadlineAt: check.deadlineAt,
    nextAttemptAt: null,
    finishedAt: now,
  };
}

/** A check at its beginning, or again after it failed. */
export function freshCheck(name: CheckName): CheckState {
  return {
    name,
    status: "pending",
    value: null,
    cause: null,
    remedy: null,
    asked: 0,
    questionId: null,
    askedAt: null,
    startedAt: null,
    deadlineAt: null,
    nextAttemptAt: null,
    finishedAt: null,
  };
}

/** A check that the installer switched off. */
export const switchedOff = (name: CheckName, option: string, now: Date): CheckState => ({
  ...freshCheck(name),
  status: "skipped",
  cause: `Switched off with ${option}.`,
  finishedAt: now,
});

/** What the checks mean for the whole. */
export function commissioningStatusFrom(checks: readonly CheckState[]): "in_progress" | "completed" | "failed" {
  if (checks.some((check) => isOpen(check.status))) return "in_progress";
  return checks.some((check) => check.status === "failed") ? "failed" : "completed";
}
