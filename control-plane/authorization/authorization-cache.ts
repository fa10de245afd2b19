import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { authorizationCache } from "@dynamo-csms/proto/redis-keys";
import { foldToken, type TokenStatus } from "./token-status.ts";

// An entry yields only to a newer revision of its token: a decision that read the token before it was changed may come
// here after the change did. The revision stands first in the JSON, where the scripts find it.
const REVISION = `
local function isNewer(field, revision)
  local stored = redis.call('HGET', KEYS[1], field)
  local known = stored and tonumber(string.match(stored, '"revision":(%d+)'))
  return known and known > tonumber(revision)
end`;

const PUT = `${REVISION}
if isNewer(ARGV[1], ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1`;

// Only the revision stays: gateways find no status in it, and go by AUTHORIZE_OFFLINE until somebody asks for the token.
const FORGET = `${REVISION}
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for i = 1, #ARGV, 2 do
  if not isNewer(ARGV[i], ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], '{"revision":' .. ARGV[i + 1] .. '}')
  end
end
return 1`;

/**
 * Keeps a token's status for the gateways, while we are away: until `seconds` from now, or until the token is changed.
 * Unknown tokens are not kept: anybody can hold a card to a reader, and a hash must not grow without bound. Rejects when
 * Redis is away.
 */
export async function cacheTokenStatus(
  redis: RedisConnection,
  orgId: string,
  token: string,
  { status, known, expiresAt, groupToken, revision }: TokenStatus,
  seconds: number,
): Promise<void> {
  const key = authorizationCache(orgId);
  if (!known) return void (await redis.hdel(key, foldToken(token)));
  const nowMs = Date.now();
  const cached = {
    revision,
    status,
    ...(expiresAt === null ? {} : { expiryDate: expiresAt.toISOString() }),
    ...(groupToken === null ? {} : { parentIdTag: groupToken }),
    cachedAtMs: nowMs,
    validUntilMs: nowMs + seconds * 1_000,
  };
  await redis.eval(PUT, 1, key, foldToken(token), String(revision), JSON.stringify(cached), String(seconds));
}

/** Drops what the gateways know of tokens that were changed or deleted; call it after the commit. Rejects when Redis is away. */
export async function forgetTokens(
  redis: RedisConnection,
  orgId: string,
  changed: readonly { token: string; revision: number }[],
): Promise<void> {
  if (changed.length === 0) return;
  const words = changed.flatMap(({ token, revision }) => [foldToken(token), String(revision)]);
  await redis.eval(FORGET, 1, authorizationCache(orgId), ...words);
}
