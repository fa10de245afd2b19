import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { CallFacts, OperatorCommand, Plan, Translations } from "./operator-commands.ts";
import { TRANSLATE_16 } from "./translate-16.ts";
import { TRANSLATE_2X } from "./translate-2x.ts";

const TRANSLATIONS: Record<OcppVersion, Translations> = {
  "1.6": TRANSLATE_16,
  "2.0.1": TRANSLATE_2X,
  "2.1": TRANSLATE_2X,
};

/**
 * The CALL that an operator's command is in this version, or the parameter that has no meaning there.
 * @param parameters of that command's schema in OPERATOR_COMMANDS.
 */
export function planCall<C extends OperatorCommand>(
  version: OcppVersion,
  command: C,
  parameters: unknown,
  facts: CallFacts,
): Plan {
  const translate = TRANSLATIONS[version][command] as (parameters: unknown, facts: CallFacts) => Plan;
  return translate(parameters, facts);
}
