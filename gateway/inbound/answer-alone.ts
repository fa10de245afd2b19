import { authorizationCache } from "@dynamo-csms/proto/redis-keys";
import type { CallRefusal } from "@dynamo-csms/proto/call-error";
import type { Registration } from "@dynamo-csms/proto/station-record";
import type { StationSettings } from "../sockets/session.ts";
import { isTransactionData } from "./transaction-data.ts";

/** How a CALL of class "decision" ends. */
export type Answer =
  | { kind: "answer"; payload: string; registration?: Registration }
  | { kind: "refuse"; refusal: CallRefusal }
  /** Not answered: the socket is closed with 1013, and the station keeps the message in its queue. */
  | { kind: "let-go"; reason: string };

/** `hold`: only the control plane can answer; it is asked again for a while. */
export type LoneAnswer = Answer | { kind: "hold" };

export interface AnswerAloneDeps {
  redis: { hget(key: string, field: string): Promise<string | null> };
  /** What to say of a token that the cache does not know. */
  authorizeOffline: "deny" | "accept";
  nowMs(): number;
  /** From 0 to 1. */
  random(): number;
}

export interface CallToAnswer {
  action: string;
  /** Valid against its schema, or readable transaction data. */
  payload: unknown;
  record: StationSettings;
}

/**
 * What we answer when the control plane cannot be asked. Never an error to a transaction message because of our outage:
 * stations throw such messages away after a few tries. Rejects never: a cache that cannot be read is a miss.
 */
export async function answerAlone(call: CallToAnswer, deps: AnswerAloneDeps): Promise<LoneAnswer> {
  const payload = call.payload as Record<string, unknown>;
  switch (call.action) {
    case "BootNotification":
      return bootAnswer(call.record, deps);
    case "Authorize": {
      const cached =
        (await cachedToken(call.record.orgId, payload, deps)) ??
        ({ status: deps.authorizeOffline === "accept" ? "Accepted" : "Invalid" } satisfies CachedToken);
      return answer("idTag" in payload ? { idTagInfo: idTagInfo(cached) } : { idTokenInfo: idTokenInfo(cached) });
    }
    case "StopTransaction":
      return answer({});
    case "TransactionEvent":
      return transactionEventAnswer(call.record, payload, deps);
    default:
      if (isTransactionData(call.action)) return { kind: "hold" };
      return {
        kind: "refuse",
        refusal: { refusal: "internal", description: "the request cannot be decided now: try again later" },
      };
  }
}

const answer = (payload: object): Answer => ({ kind: "answer", payload: JSON.stringify(payload) });

/** Accepted stations stay so; others wait, each for another time, so that a fleet does not come back as one. */
function bootAnswer(record: StationSettings, deps: AnswerAloneDeps): Answer {
  const currentTime = new Date(deps.nowMs()).toISOString();
  const waitSeconds = 60 + Math.floor(deps.random() * 61);
  switch (record.registration) {
    case "accepted":
      return answer({ status: "Accepted", currentTime, interval: record.heartbeatIntervalSeconds });
    case "unknown":
    case "pending":
      return answer({ status: "Pending", currentTime, interval: waitSeconds });
    case "rejected":
      return answer({ status: "Rejected", currentTime, interval: waitSeconds });
  }
}

/**
 * The station made the transaction's id itself, so only its token needs judging. One that nobody can judge now is held,
 * not denied: a denial would end a session that has begun.
 */
async function transactionEventAnswer(
  record: StationSettings,
  payload: Record<string, unknown>,
  deps: AnswerAloneDeps,
): Promise<LoneAnswer> {
  if (payload["eventType"] === "Ended" || !namesToken(payload["idToken"])) return answer({});
  const cached =
    (await cachedToken(record.orgId, payload, deps)) ??
    (deps.authorizeOffline === "accept" ? ({ status: "Accepted" } satisfies CachedToken) : undefined);
  return cached === undefined ? { kind: "hold" } : answer({ idTokenInfo: idTokenInfo(cached) });
}

/** `NoAuthorization` is how 2.x says that there is no token (start by button). Flagged data may hold anything here. */
function namesToken(idToken: unknown): boolean {
  return typeof idToken === "object" && idToken !== null && (idToken as { type?: unknown }).type !== "NoAuthorization";
}

/** As the control plane writes it (authorizationCache in redis-keys.ts). */
interface CachedToken {
  status: string;
  expiryDate?: string;
  parentIdTag?: string;
  validUntilMs?: number;
}

/** What the control plane last said of the token; undefined: not in the cache, or too long ago. */
async function cachedToken(
  orgId: string,
  payload: Record<string, unknown>,
  deps: AnswerAloneDeps,
): Promise<CachedToken | undefined> {
  const token = tokenOf(payload);
  if (token === undefined) return undefined;
  const text = await deps.redis.hget(authorizationCache(orgId), token).catch(() => null);
  const cached = text === null ? undefined : readCached(text);
  if (cached === undefined || (cached.validUntilMs ?? Infinity) <= deps.nowMs()) return undefined;
  const isExpired = cached.expiryDate !== undefined && Date.parse(cached.expiryDate) <= deps.nowMs();
  return isExpired ? { ...cached, status: "Expired" } : cached;
}

/**
 * Undefined: not as this build knows it (a newer control plane wrote it), or nothing but a revision (the token was changed
 * since it was last asked for): both are a miss.
 */
function readCached(text: string): CachedToken | undefined {
  try {
    const cached = JSON.parse(text) as Partial<CachedToken> | null;
    return typeof cached?.status === "string" ? { ...cached, status: cached.status } : undefined;
  } catch {
    return undefined;
  }
}

/** idTagInfo of 1.6 (C16 §7.8): a parentIdTag is at most 20 characters. */
const idTagInfo = ({ status, expiryDate, parentIdTag }: CachedToken) => ({
  ...(expiryDate === undefined ? {} : { expiryDate }),
  ...(parentIdTag === undefined || parentIdTag.length > 20 ? {} : { parentIdTag }),
  status,
});

/** idTokenInfo of 2.x (P2 IdTokenInfoType). */
const idTokenInfo = ({ status, expiryDate, parentIdTag }: CachedToken) => ({
  status,
  ...(expiryDate === undefined ? {} : { cacheExpiryDateTime: expiryDate }),
  ...(parentIdTag === undefined || parentIdTag.length > 36
    ? {}
    : { groupIdToken: { idToken: parentIdTag, type: "Central" } }),
});

/** idTag (1.6 CiString20) and idToken (2.x identifierString) are case-insensitive: the cache's fields are lower case. */
function tokenOf(payload: Record<string, unknown>): string | undefined {
  const token = payload["idTag"] ?? (payload["idToken"] as { idToken?: unknown } | undefined)?.idToken;
  return typeof token === "string" ? token.toLowerCase() : undefined;
}
