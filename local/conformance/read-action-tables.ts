import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { actionsOf, directionOf } from "@dynamo-csms/ocpp-schemas/actions";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { FOLDERS } from "../folders.ts";

/** What the product does with an action of a version, as its own tables say. */
export interface ActionFacts {
  action: string;
  /** Of the station's CALL; undefined: only the CSMS sends it. */
  fromStation?: {
    /** By the gateway, by the control plane, by one or the other, or by nobody (SEND). */
    answeredBy: "gateway" | "control plane" | "both" | "nobody";
    /** The answer says no, always: nothing here does it. */
    declined: boolean;
    /** It changes more than the message log. */
    hasEffect: boolean;
  };
  /** Of our CALL; undefined: only stations send it. */
  toStation?: {
    /** How it ends changes more than the command's row. */
    hasEffect: boolean;
  };
}

type Table = Record<string, unknown>;
interface AnswerClass {
  class: "edge" | "edge-with-time" | "decision" | "transaction-event" | "send";
  payload?: string;
}

/** The exports of a module of the gateway or the control plane. Read for documents; no code of ours may depend on them. */
const load = async (path: string) =>
  (await import(/* @vite-ignore */ pathToFileURL(join(FOLDERS.root, path)).href)) as Table;

const TABLE_NAME: Record<OcppVersion, string> = { "1.6": "16", "2.0.1": "201", "2.1": "21" };
const ANSWERED_BY = {
  edge: "gateway",
  "edge-with-time": "gateway",
  decision: "control plane",
  "transaction-event": "both",
  send: "nobody",
} as const;

/**
 * Reads the tables that the processes themselves go by: who answers (gateway/inbound/answers-*.ts), what is decided
 * (control-plane/decisions/), what the intake makes of it (control-plane/intake/dispatch-*.ts), what a command's end changes
 * (control-plane/commands/outcome-effects.ts).
 * @throws when an action of the schemas is missing in one of them
 */
export async function readActionFacts(version: OcppVersion): Promise<ActionFacts[]> {
  const [answersModule, stepsModule, stepModule, decisionsModule, refusals, outcomes] = await Promise.all(
    [
      `gateway/inbound/answers-${version}.ts`,
      `control-plane/intake/dispatch-${version}.ts`,
      "control-plane/intake/step.ts",
      "control-plane/decisions/decision-tables.ts",
      "control-plane/decisions/refusals.ts",
      "control-plane/commands/outcome-effects.ts",
    ].map(load),
  );
  const answers = answersModule?.[`answers${TABLE_NAME[version]}`] as Record<string, AnswerClass>;
  const steps = stepsModule?.[`steps${TABLE_NAME[version]}`] as Table;
  const decide = decisionsModule?.["decisionStepFor"] as (version: OcppVersion, action: string) => unknown;
  const outcomeEffects = outcomes?.["OUTCOME_EFFECTS"] as ReadonlyMap<string, unknown>;
  const noes = new Set(Object.values(refusals ?? {}));

  return actionsOf(version).map((action): ActionFacts => {
    const direction = directionOf(version, action);
    const facts: ActionFacts = { action };
    if (direction !== "csms") {
      const answer = answers[action];
      const step = steps[action];
      if (answer === undefined || step === undefined) throw new Error(`OCPP ${version} ${action}: in no table`);
      const declined =
        answer.class === "decision" ? noes.has(decide(version, action)) : (answer.payload ?? "").includes("Rejected");
      facts.fromStation = {
        answeredBy: ANSWERED_BY[answer.class],
        declined,
        hasEffect: step !== stepModule?.["logged"],
      };
    }
    if (direction !== "station") facts.toStation = { hasEffect: outcomeEffects.has(action) };
    return facts;
  });
}
