import { cacheTokenStatus } from "../authorization/authorization-cache.ts";
import {
  type AskedToken,
  idTagInfo,
  idTokenInfo,
  readTokenStatuses,
  type TokenStatus,
} from "../authorization/token-status.ts";
import { type ContractClaim, judgeContract } from "../certificates/contract-certificate.ts";
import type { Sql } from "../database.ts";
import { answered, type Decision, type DecisionDeps, type Question, type SharedStep } from "./decision.ts";

/** Authorize of 1.6 (C16 §4.1). Never ConcurrentTx: that is said to starts alone (C16 §7.2), so that cards can still stop. */
export const decideAuthorize16: SharedStep = {
  writes: false,
  async decide(questions, sql, deps) {
    const asked = questions.map(({ station, payloadText }) => ({
      orgId: station.orgId,
      token: (JSON.parse(payloadText) as { idTag: string }).idTag,
    }));
    const statuses = await readAndCache(sql, asked, deps);
    return statuses.map((status) => answered({ idTagInfo: idTagInfo(status) }));
  },
};

interface AuthorizeRequest {
  idToken: { idToken: string };
  certificate?: string;
  iso15118CertificateHashData?: ContractClaim["hashData"];
}

/** Authorize of 2.x (P2 C01); with a contract certificate (C07) the token counts only while that is good. */
export const decideAuthorize2: SharedStep = {
  writes: false,
  async decide(questions, sql, deps) {
    const requests = questions.map(({ payloadText }) => JSON.parse(payloadText) as AuthorizeRequest);
    const asked = requests.map(({ idToken }, place) => ({
      orgId: (questions[place] as Question).station.orgId,
      token: idToken.idToken,
    }));
    const statuses = await readAndCache(sql, asked, deps);
    return Promise.all(statuses.map((status, place) => judge(requests[place] as AuthorizeRequest, status, deps)));
  },
};

async function judge(request: AuthorizeRequest, token: TokenStatus, deps: DecisionDeps): Promise<Decision> {
  const { idToken, certificate, iso15118CertificateHashData: hashData } = request;
  if (certificate === undefined && hashData === undefined) return answered({ idTokenInfo: idTokenInfo(token) });
  const { ocsp, roots } = deps.certificates ?? { ocsp: undefined, roots: [] };
  const certificateStatus = await judgeContract({ token: idToken.idToken, certificate, hashData }, { ocsp, roots });
  const isGood = certificateStatus === "Accepted" || token.status !== "Accepted";
  return answered({ idTokenInfo: isGood ? idTokenInfo(token) : { status: "Invalid" }, certificateStatus });
}

async function readAndCache(sql: Sql, asked: readonly AskedToken[], deps: DecisionDeps): Promise<TokenStatus[]> {
  const statuses = await readTokenStatuses(sql, asked);
  // For the gateways, while we are away. Best effort: without Redis there is no gateway to read it.
  for (const [place, { orgId, token }] of asked.entries())
    void cacheTokenStatus(deps.redis, orgId, token, statuses[place] as TokenStatus, deps.authCacheSeconds).catch(
      () => {},
    );
  return statuses;
}
