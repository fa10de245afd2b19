import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { err, ok, type Result } from "@dynamo-csms/proto/result";

/** A token of the organisation, as a local list may hold it. */
export interface ListedToken {
  token: string;
  /** IdTokenEnumType; null: not said. */
  type: string | null;
  status: string;
  expiresAt: Date | null;
  groupToken: string | null;
}

export interface SyncPlan {
  /** SendLocalList payloads in the order they are to be sent; each has the version after the one before. */
  payloads: object[];
  firstVersion: number;
  lastVersion: number;
  /** Tokens that a station of this version cannot hold. */
  skipped: number;
}

const MAX_VERSION = 2_147_483_647;
const DEFAULT_TYPE = "ISO14443";
/** IdTokenEnumType of 2.0.1, which 2.1 leaves open. */
const TYPES_201 = new Set([
  "Central",
  "eMAID",
  "ISO14443",
  "ISO15693",
  "KeyCode",
  "Local",
  "MacAddress",
  "NoAuthorization",
]);

/**
 * The organisation's tokens as a full list, split into as many messages as the station needs: the first replaces its list,
 * the others add to it (1.6 §5.15, 2.x D01).
 * @param baseVersion the highest version that the station is known to have had.
 */
export function planSync(
  version: OcppVersion,
  tokens: readonly ListedToken[],
  baseVersion: number,
  itemsPerMessage: number,
): Result<SyncPlan, "versions-used-up"> {
  const fitting = tokens.filter((token) => fits(version, token));
  const parts: ListedToken[][] = [];
  for (let at = 0; at < fitting.length; at += itemsPerMessage) parts.push(fitting.slice(at, at + itemsPerMessage));
  if (parts.length === 0) parts.push([]);
  const firstVersion = Math.max(0, baseVersion) + 1;
  const lastVersion = firstVersion + parts.length - 1;
  if (lastVersion > MAX_VERSION) return err("versions-used-up");
  const payloads = parts.map((part, index) => payloadOf(version, part, firstVersion + index, index === 0));
  return ok({ payloads, firstVersion, lastVersion, skipped: tokens.length - fitting.length });
}

function fits(version: OcppVersion, { token, type, groupToken }: ListedToken): boolean {
  if (version === "1.6") return token.length <= 20 && (groupToken?.length ?? 0) <= 20;
  if (version === "2.1") return token.length <= 255 && (groupToken?.length ?? 0) <= 255;
  return token.length <= 36 && (groupToken?.length ?? 0) <= 36 && TYPES_201.has(type ?? DEFAULT_TYPE);
}

function payloadOf(version: OcppVersion, part: readonly ListedToken[], listVersion: number, first: boolean): object {
  const updateType = first ? "Full" : "Differential";
  if (version === "1.6") return { listVersion, updateType, localAuthorizationList: part.map(entry16) };
  return {
    versionNumber: listVersion,
    updateType,
    ...(part.length === 0 ? {} : { localAuthorizationList: part.map(entry2) }),
  };
}

const entry16 = ({ token, status, expiresAt, groupToken }: ListedToken): object => ({
  idTag: token,
  idTagInfo: {
    status,
    ...(expiresAt === null ? {} : { expiryDate: expiresAt.toISOString() }),
    ...(groupToken === null ? {} : { parentIdTag: groupToken }),
  },
});

function entry2({ token, type, status, expiresAt, groupToken }: ListedToken): object {
  const tokenType = type ?? DEFAULT_TYPE;
  return {
    idToken: { idToken: token, type: tokenType },
    idTokenInfo: {
      status,
      ...(expiresAt === null ? {} : { cacheExpiryDateTime: expiresAt.toISOString() }),
      ...(groupToken === null ? {} : { groupIdToken: { idToken: groupToken, type: tokenType } }),
    },
  };
}
