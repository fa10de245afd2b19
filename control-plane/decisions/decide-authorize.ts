import { authorizationCache } from "@dynamo-csms/proto/redis-keys";
import { sqlOn } from "../database.ts";
import { idTagInfo, idTokenInfo, readTokenStatus, type TokenStatus } from "../transactions/token-status.ts";
import { answered, type DecisionDeps, type DecisionStep } from "./decision.ts";

/** Authorize of 1.6 (C16 §4.1). */
export const decideAuthorize16: DecisionStep = async ({ station, payloadText }, deps) => {
  const { idTag } = JSON.parse(payloadText) as { idTag: string };
  return answered({ idTagInfo: idTagInfo(await readAndCache(station.orgId, idTag, deps)) });
};

/** Authorize of 2.x (P2 C01). Contract certificates (C07) cannot be checked yet, and are not said to be. */
export const decideAuthorize2: DecisionStep = async ({ station, payloadText }, deps) => {
  const payload = JSON.parse(payloadText) as {
    idToken: { idToken: string };
    certificate?: string;
    iso15118CertificateHashData?: unknown;
  };
  const token = await readAndCache(station.orgId, payload.idToken.idToken, deps);
  const hasCertificate = payload.certificate !== undefined || payload.iso15118CertificateHashData !== undefined;
  return answered({
    idTokenInfo: idTokenInfo(token),
    ...(hasCertificate ? { certificateStatus: "NoCertificateAvailable" } : {}),
  });
};

async function readAndCache(orgId: string, token: string, deps: DecisionDeps): Promise<TokenStatus> {
  const status = await readTokenStatus(sqlOn(deps.pool), orgId, token);
  // For the gateways, while we are away. Best effort: without Redis there is no gateway to read it.
  void cacheStatus(orgId, token, status, deps).catch(() => {});
  return status;
}

/** Unknown tokens are not cached: anybody can hold a card to a reader, and a hash must not grow without bound. */
async function cacheStatus(
  orgId: string,
  token: string,
  { status, known, expiresAt, groupToken }: TokenStatus,
  deps: DecisionDeps,
): Promise<void> {
  const key = authorizationCache(orgId);
  const field = token.toLowerCase();
  if (!known) return void (await deps.redis.hdel(key, field));
  const cached = {
    status,
    ...(expiresAt === null ? {} : { expiryDate: expiresAt.toISOString() }),
    ...(groupToken === null ? {} : { parentIdTag: groupToken }),
    cachedAtMs: Date.now(),
  };
  await deps.redis.multi().hset(key, field, JSON.stringify(cached)).expire(key, deps.authCacheSeconds).exec();
}
