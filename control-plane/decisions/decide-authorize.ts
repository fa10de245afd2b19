import { cacheTokenStatus } from "../authorization/authorization-cache.ts";
import { idTagInfo, idTokenInfo, readTokenStatus, type TokenStatus } from "../authorization/token-status.ts";
import { type ContractClaim, judgeContract } from "../certificates/contract-certificate.ts";
import { sqlOn } from "../database.ts";
import { answered, type DecisionDeps, type DecisionStep } from "./decision.ts";

/** Authorize of 1.6 (C16 §4.1). Never ConcurrentTx: that is said to starts alone (C16 §7.2), so that cards can still stop. */
export const decideAuthorize16: DecisionStep = async ({ station, payloadText }, deps) => {
  const { idTag } = JSON.parse(payloadText) as { idTag: string };
  return answered({ idTagInfo: idTagInfo(await readAndCache(station.orgId, idTag, deps)) });
};

/** Authorize of 2.x (P2 C01); with a contract certificate (C07) the token counts only while that is good. */
export const decideAuthorize2: DecisionStep = async ({ station, payloadText }, deps) => {
  const payload = JSON.parse(payloadText) as {
    idToken: { idToken: string };
    certificate?: string;
    iso15118CertificateHashData?: ContractClaim["hashData"];
  };
  const { certificate, iso15118CertificateHashData: hashData } = payload;
  const { idToken } = payload.idToken;
  const token = await readAndCache(station.orgId, idToken, deps);
  if (certificate === undefined && hashData === undefined) return answered({ idTokenInfo: idTokenInfo(token) });
  const { ocsp, roots } = deps.certificates ?? { ocsp: undefined, roots: [] };
  const certificateStatus = await judgeContract({ token: idToken, certificate, hashData }, { ocsp, roots });
  const isGood = certificateStatus === "Accepted" || token.status !== "Accepted";
  return answered({ idTokenInfo: isGood ? idTokenInfo(token) : { status: "Invalid" }, certificateStatus });
};

async function readAndCache(orgId: string, token: string, deps: DecisionDeps): Promise<TokenStatus> {
  const status = await readTokenStatus(sqlOn(deps.pool), orgId, token);
  // For the gateways, while we are away. Best effort: without Redis there is no gateway to read it.
  void cacheTokenStatus(deps.redis, orgId, token, status, deps.authCacheSeconds).catch(() => {});
  return status;
}
