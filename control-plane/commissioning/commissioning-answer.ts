import { z } from "zod";
import { isoTime } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import type { CheckState } from "./advance-checks.ts";
import { CHECK_NAMES } from "./check-scene.ts";
import type { Commissioning } from "./commissioning-rows.ts";

export const checkAnswer = named(
  "CommissioningCheck",
  z.strictObject({
    name: z.enum(CHECK_NAMES),
    status: z.enum(["pending", "in_progress", "passed", "failed", "skipped"]),
    value: z.string().optional().describe("what was found: the firmware's version, the meter's reading"),
    cause: z.string().optional().describe("why it failed or was skipped"),
    remedy: z.string().optional().describe("what to do on site about a failure"),
  }),
);

const shape = {
  commissioning_id: z.string(),
  charge_point_id: z.string(),
  status: z.enum(["in_progress", "completed", "failed"]),
  checks: z.array(checkAnswer),
  started_at: isoTime(),
  failed_at: isoTime().optional().describe("when the last check of a failed commissioning had ended"),
};

/** The answer of `start`: the time of completion only once there is one. */
export const startAnswer = named(
  "StartedCommissioning",
  z.strictObject({ ...shape, completed_at: isoTime().optional() }),
);
/** The answer of the status: completed_at is always there. */
export const statusAnswer = named("Commissioning", z.strictObject({ ...shape, completed_at: isoTime().nullable() }));

/** One check as everybody sees it: the API, webhooks and the certificate. */
export function toCheckAnswer(
  check: Pick<CheckState, "name" | "status" | "value" | "cause" | "remedy">,
): z.output<typeof checkAnswer> {
  return {
    name: check.name,
    status: check.status,
    ...(check.value === null ? {} : { value: check.value }),
    ...(check.cause === null ? {} : { cause: check.cause }),
    ...(check.remedy === null ? {} : { remedy: check.remedy }),
  };
}

export function toStartAnswer(
  commissioning: Commissioning,
  checks: readonly CheckState[],
): z.output<typeof startAnswer> {
  return {
    commissioning_id: commissioning.id,
    charge_point_id: commissioning.chargePointId,
    status: commissioning.status,
    checks: checks.map(toCheckAnswer),
    started_at: isoSeconds(commissioning.startedAt),
    ...(commissioning.status === "failed" ? { failed_at: isoSeconds(lastEndOf(checks)) } : {}),
    ...(commissioning.completedAt === null ? {} : { completed_at: isoSeconds(commissioning.completedAt) }),
  };
}

/** A commissioning has failed when its last check has ended. */
const lastEndOf = (checks: readonly CheckState[]) =>
  new Date(Math.max(...checks.map((check) => check.finishedAt?.getTime() ?? 0)));

export function toStatusAnswer(
  commissioning: Commissioning,
  checks: readonly CheckState[],
): z.output<typeof statusAnswer> {
  return {
    ...toStartAnswer(commissioning, checks),
    completed_at: commissioning.completedAt && isoSeconds(commissioning.completedAt),
  };
}
