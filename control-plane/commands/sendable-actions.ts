import { didYouMean } from "../http/did-you-mean.ts";
import { actionsOf, directionOf, isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/**
 * CALLs that make something move at a station: somebody stands there now, and not when it comes back (ADR 0010). They are
 * sent at once or never.
 */
const NEVER_LATE: ReadonlySet<string> = new Set([
  "RemoteStartTransaction",
  "RequestStartTransaction",
  "UnlockConnector",
  "RequestBatterySwap",
]);

/** Whether the action may wait until its station is connected. */
export const mayWait = (action: string): boolean => !NEVER_LATE.has(action);

/** Why we cannot send this action to a station of this version, and what was probably meant. For actions that are none. */
export function whyNotAnAction(version: OcppVersion, action: string): string {
  const shown = action.slice(0, 100);
  if (directionOf(version, action) === "station")
    return `${shown} is sent by charge points of OCPP ${version}, not to them`;
  const elsewhere = OCPP_VERSIONS.filter((other) => isCsmsAction(other, action));
  const ours = actionsOf(version).filter((name) => isCsmsAction(version, name));
  const meant = didYouMean(action, ours);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  if (elsewhere.length > 0) return `${shown} belongs to OCPP ${elsewhere.join(" and ")}, not to ${version}${hint}`;
  return `${shown} is not an action that OCPP ${version} lets us send to a charge point${hint}`;
}
