import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { RATE_LIMIT_PREFIX } from "@dynamo-csms/proto/redis-keys";
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { ProblemError } from "./problems.ts";
import type { RateLimitBucket } from "./route.ts";

export interface RateLimit {
  requests: number;
  windowSeconds: number;
}

/** Counted apart from the routes' buckets: attempts on one account, whoever makes them. */
type AccountLimit = "loginAccount" | "mailAccount";

export type RateLimitConfig = Record<RateLimitBucket | AccountLimit, RateLimit>;

/**
 * Public routes are counted by address, the others by caller, commands of API keys by organisation (run-route.ts). Many
 * installers may sit behind one address.
 */
export const DEFAULT_RATE_LIMITS: RateLimitConfig = {
  login: { requests: 30, windowSeconds: 60 },
  signup: { requests: 30, windowSeconds: 60 },
  mail: { requests: 20, windowSeconds: 60 },
  read: { requests: 1_200, windowSeconds: 60 },
  write: { requests: 300, windowSeconds: 60 },
  command: { requests: 1_200, windowSeconds: 60 },
  // By account and address: somebody else's guessing does not lock the owner out.
  loginAccount: { requests: 10, windowSeconds: 60 },
  // By address, whoever asks: a sign-up and a few links that were not found.
  mailAccount: { requests: 5, windowSeconds: 900 },
};

interface Attempt {
  allowed: boolean;
  retryAfterSeconds: number;
  /** The RateLimit headers of this limit, for an answer that refuses because of it. */
  headers: Record<string, string>;
}

export interface RateLimits {
  /**
   * Counts one request. @param more what it stands for beyond one; never so much that an unused limit would refuse it.
   * @returns the RateLimit headers of the answer. Throws ProblemError rate_limited.
   */
  consume(bucket: RateLimitBucket, key: string, more?: number): Promise<Record<string, string>>;
  /** Counts one attempt on an account. The caller decides what to say when there were too many. */
  attempt(limit: AccountLimit, key: string): Promise<Attempt>;
}

/**
 * Counters in Redis, shared by all API processes. While Redis is away each process counts for itself: a login must not
 * become free, nor impossible.
 */
export function createRateLimits(redis: RedisConnection, config: RateLimitConfig): RateLimits {
  const limiters = new Map(
    Object.entries(config).map(([name, { requests, windowSeconds }]) => {
      const options = { points: requests, duration: windowSeconds, keyPrefix: `${RATE_LIMIT_PREFIX}:${name}` };
      const insuranceLimiter = new RateLimiterMemory(options);
      // Blocked keys are remembered here, so that a flood does not become a flood of Redis commands.
      return [
        name,
        new RateLimiterRedis({
          ...options,
          storeClient: redis,
          insuranceLimiter,
          inMemoryBlockOnConsumed: requests + 1,
        }),
      ] as const;
    }),
  );

  async function count(name: RateLimitBucket | AccountLimit, key: string, points = 1): Promise<Attempt> {
    const limiter = limiters.get(name);
    if (limiter === undefined) throw new Error(`no rate limit ${name}`);
    const told = (allowed: boolean, state: RateLimiterRes): Attempt => {
      const retryAfterSeconds = Math.max(1, Math.ceil(state.msBeforeNext / 1_000));
      const { requests, windowSeconds } = config[name];
      // draft-ietf-httpapi-ratelimit-headers
      const headers = {
        "ratelimit-policy": `"${name}";q=${requests};w=${windowSeconds}`,
        ratelimit: `"${name}";r=${Math.max(0, state.remainingPoints)};t=${retryAfterSeconds}`,
      };
      return { allowed, retryAfterSeconds, headers };
    };
    try {
      return told(true, await limiter.consume(key, points));
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return told(false, refusal);
      throw refusal;
    }
  }

  return {
    async consume(bucket, key, more) {
      const { requests, windowSeconds } = config[bucket];
      const points = more === undefined ? 1 : Math.min(more, requests - 1);
      const { allowed, retryAfterSeconds, headers } = await count(bucket, key, points);
      if (allowed) return headers;
      throw new ProblemError("rate_limited", `More than ${requests} requests in ${windowSeconds} seconds.`, {
        retryAfterSeconds,
        headers,
      });
    },
    attempt: (limit, key) => count(limit, key),
  };
}

/** Reads `30/60`: requests per seconds. Throws with the reason. */
export function parseRateLimit(text: string): RateLimit {
  const parts = /^(\d{1,7})\/(\d{1,6})$/.exec(text);
  const [requests, windowSeconds] = [Number(parts?.[1]), Number(parts?.[2])];
  if (parts === null || requests < 1 || windowSeconds < 1) throw new Error("want requests/seconds, such as 30/60");
  return { requests, windowSeconds };
}
