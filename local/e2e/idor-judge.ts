import type { Policy } from "./idor-policies.ts";
import type { SweepRequest } from "./idor-requests.ts";
import type { Stranger } from "./idor-strangers.ts";
import type { Answer } from "./rest-sweep.ts";

/** Operations that answer for each thing of a list by itself: 200, with a refusal inside and nothing done. */
const ITEM_BY_ITEM = new Set(["sendBulkCommand"]);
/** Installers belong to no organisation: whoever was told the id of one may assign him to a project of his own, and take him off. */
const MAY_NAME: Record<string, string> = {
  assignInstaller: "body:installer_id",
  removeInstaller: "path:installer_id",
};
/** A stranger's own audit log names the ids that he tried; what is behind them is another thing. */
const REPEATS_IDS = new Set(["listAuditLog"]);

/** What of the victim nobody else may ever be told. */
export interface Secrets {
  texts: readonly string[];
  ids: readonly string[];
}

/**
 * What is wrong with the answer to a stranger; empty when it refuses as it must and tells nothing that the request itself
 * did not tell.
 */
export function complaintsOf(
  request: SweepRequest,
  policy: Policy,
  stranger: Stranger,
  { status, text, headers }: Answer,
  secrets: Secrets,
): string[] {
  const heard = `${text}\n${[...headers.values()].join("\n")}`;
  const told = [...secrets.texts, ...(REPEATS_IDS.has(request.operation.id) ? [] : secrets.ids)];
  const leaks = told.filter((secret) => heard.includes(secret) && !request.told.includes(secret));
  const wanted = wantedStatuses(request, policy, stranger);
  return [
    ...(wanted.includes(status) ? [] : [`status ${status}, not ${wanted.join(" or ")}: ${text.slice(0, 200)}`]),
    ...leaks.map((leak) => `tells ${leak}`),
  ];
}

function wantedStatuses(request: SweepRequest, policy: Policy, { kind }: Stranger): number[] {
  const { operation, aimedAt } = request;
  if (policy === "anyone") return GOOD_OR_REFUSED;
  if (policy === "certificate") return kind === "nobody" ? [401] : [404];
  if (kind === "nobody") return [401];
  if (kind === "wrong-kind" || kind === "no-scope") return [403];
  if (aimedAt.length === 0) return GOOD_OR_REFUSED;
  if (aimedAt.every((place) => place === MAY_NAME[operation.id])) return [201, 204, 404];
  return ITEM_BY_ITEM.has(operation.id) ? [200] : [404];
}

/** Of requests that name nothing of the victim: whatever they come to, as long as nothing breaks. */
const GOOD_OR_REFUSED = [200, 201, 202, 204, 400, 401, 403, 404, 409, 410, 422];
