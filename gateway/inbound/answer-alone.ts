import { authorizationCache } from "@dynamo-csms/proto/redis-keys";
import type { CallRefusal } from "@dynamo-csms/proto/call-error";
import type { Registration, StationRecord } from "@dynamo-csms/proto/station-record";
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
  record: StationRecord;
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
      const status =
        (await cachedStatus(call.record.orgId, payload, deps)) ??
        (deps.authorizeOffline === "accept" ? "Accepted" : "Invalid");
      return answer("idTag" in payload ? { idTagInfo: { status } } : { idTokenInfo: { status } });
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
function bootAnswer(record: StationRecord, deps: AnswerAloneDeps): Answer {
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
  record: StationRecord,
  payload: Record<string, unknown>,
  deps: AnswerAloneDeps,
): Promise<LoneAnswer> {
  if (payload["eventType"] === "Ended" || !namesToken(payload["idToken"])) return answer({});
  const status =
    (await cachedStatus(record.orgId, payload, deps)) ?? (deps.authorizeOffline === "accept" ? "Accepted" : undefined);
  return status === undefined ? { kind: "hold" } : answer({ idTokenInfo: { status } });
}

/** `NoAuthorization` is how 2.x says that there is no token (start by button). Flagged data may hold anything here. */
function namesToken(idToken: unknown): boolean {
  return typeof idToken === "object" && idToken !== null && (idToken as { type?: unknown }).type !== "NoAuthorization";
}

/** The token's status as the control plane last gave it; undefined: not in the cache. */
async function cachedStatus(
  orgId: string,
  payload: Record<string, unknown>,
  deps: AnswerAloneDeps,
): Promise<string | undefined> {
  const token = tokenOf(payload);
  if (token === undefined) return undefined;
  const text = await deps.redis.hget(authorizationCache(orgId), token).catch(() => null);
  const cached = text === null ? undefined : readCached(text);
  if (cached === undefined) return undefined;
  const isExpired = cached.expiryDate !== undefined && Date.parse(cached.expiryDate) <= deps.nowMs();
  return isExpired ? "Expired" : cached.status;
}

/** Undefined: not as this build knows it (a newer control plane wrote it), which is a miss. */
function readCached(text: string): { status: string; expiryDate?: string } | undefined {
  try {
    const cached = JSON.parse(text) as { status?: unknown; expiryDate?: string } | null;
    return typeof cached?.status === "string" ? { ...cached, status: cached.status } : undefined;
  } catch {
    return undefined;
  }
}

/** idTag (1.6 CiString20) and idToken (2.x identifierString) are case-insensitive: the cache's fields are lower case. */
function tokenOf(payload: Record<string, unknown>): string | undefined {
  const token = payload["idTag"] ?? (payload["idToken"] as { idToken?: unknown } | undefined)?.idToken;
  return typeof token === "string" ? token.toLowerCase() : undefined;
}
