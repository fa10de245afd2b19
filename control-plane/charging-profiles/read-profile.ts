import { int4Of, isObject, textOf } from "../transactions/read-fields.ts";

/** What is filed of a charging profile beside its whole text. */
export interface ProfileFields {
  id: number;
  purpose: string;
  stackLevel: number;
  kind: string;
  transactionId: string | undefined;
}

/** Reads a ChargingProfile (1.6 §7.8, 2.x ChargingProfileType). Undefined: it has no id that can be filed. */
export function readProfile(profile: unknown): ProfileFields | undefined {
  if (!isObject(profile)) return undefined;
  const id = profile["chargingProfileId"] ?? profile["id"];
  const stackLevel = int4Of(profile["stackLevel"]);
  if (!Number.isSafeInteger(id) || stackLevel === undefined) return undefined;
  return {
    id: id as number,
    purpose: String(profile["chargingProfilePurpose"]),
    stackLevel,
    kind: String(profile["chargingProfileKind"]),
    transactionId: textOf(profile["transactionId"]),
  };
}

/** Which profiles a ClearChargingProfile is about: an id, or all that fit what is given (1.6 §6.9, 2.x K10). */
export interface ClearCriteria {
  id: number | undefined;
  evseId: number | undefined;
  purpose: string | undefined;
  stackLevel: number | undefined;
}

/** Reads a ClearChargingProfile of any version. */
export function readCriteria(payload: Record<string, unknown>): ClearCriteria {
  const inner = payload["chargingProfileCriteria"];
  const criteria = isObject(inner) ? inner : payload;
  const id = payload["id"] ?? payload["chargingProfileId"];
  return {
    id: Number.isSafeInteger(id) ? (id as number) : undefined,
    evseId: int4Of(criteria["connectorId"] ?? criteria["evseId"]),
    purpose: textOf(criteria["chargingProfilePurpose"]),
    stackLevel: int4Of(criteria["stackLevel"]),
  };
}

/** Whether the criteria take this profile away. With an id the rest counts for nothing. */
export function clears(criteria: ClearCriteria, profile: ProfileFields & { evseId: number }): boolean {
  if (criteria.id !== undefined) return criteria.id === profile.id;
  return (
    (criteria.evseId === undefined || criteria.evseId === profile.evseId) &&
    (criteria.purpose === undefined || criteria.purpose === profile.purpose) &&
    (criteria.stackLevel === undefined || criteria.stackLevel === profile.stackLevel)
  );
}
