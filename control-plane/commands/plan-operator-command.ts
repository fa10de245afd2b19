import type { Sql } from "../database.ts";
import { type FieldError, ProblemError } from "../http/problems.ts";
import type { RequestValidator } from "../http/validate-request.ts";
import { findCallFacts } from "./find-call-facts.ts";
import type { CommandableStation } from "./find-commandable-station.ts";
import {
  OPERATOR_COMMANDS,
  type OperatorCommand,
  type ParameterMistake,
  type PlannedCall,
} from "./operator-commands.ts";
import { planCall } from "./plan-call.ts";

/** The CALL that an operator's command is for this station. Throws ProblemError where the parameters do not fit. */
export async function planOperatorCommand(
  deps: { sql: Sql; validator: Pick<RequestValidator, "body"> },
  station: CommandableStation,
  command: OperatorCommand,
  given: unknown,
): Promise<PlannedCall> {
  const parameters = deps.validator.body(OPERATOR_COMMANDS[command], given);
  if (!parameters.ok)
    throw unfit(
      command,
      parameters.error.map((error) => ({ ...error, pointer: `/parameters${error.pointer}` })),
    );
  const facts = await findCallFacts(deps.sql, station, command, parameters.value);
  const plan = facts.ok ? planCall(station.version, command, parameters.value, facts.value) : facts;
  if (!plan.ok) throw unfit(command, [fieldError(plan.error)]);
  return plan.value;
}

const fieldError = ({ parameter, detail }: ParameterMistake): FieldError => ({
  pointer: `/parameters/${parameter}`,
  code: "invalid",
  detail,
});

const unfit = (command: OperatorCommand, errors: FieldError[]): ProblemError =>
  new ProblemError("validation_failed", `The parameters do not fit ${command}.`, { errors });
