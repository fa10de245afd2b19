import {
  ATTEMPTS_KEPT_SECONDS,
  ATTEMPTS_PER_STATION,
  encodeAttempt,
  UNKNOWN_ATTEMPTS_KEPT,
  type AttemptOutcome,
  type ConnectionAttempt,
} from "@dynamo-csms/proto/connection-attempt";
import { connectionAttempts, stationRecord, UNKNOWN_ATTEMPTS } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";

export interface AttemptStore {
  eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
}

/** What anybody can bring about who knows a station's identity, or guesses it. All other outcomes lie behind its credentials. */
const OF_STRANGERS: ReadonlySet<AttemptOutcome> = new Set<AttemptOutcome>([
  "unknown_identity",
  "malformed_identity",
  "no_credentials",
  "bad_credentials",
  "plain_ws",
  "no_client_certificate",
  "bad_client_certificate",
  "wrong_security_profile",
  "tls_error",
  "too_many_attempts",
  "service_unavailable",
]);

/** Whether only the station itself can have had this outcome. */
export const isProven = (outcome: AttemptOutcome): boolean => !OF_STRANGERS.has(outcome);

/** So many of a station's list may be attempts that anybody can have made; the rest is the station's own. */
const STRANGERS_KEPT = ATTEMPTS_PER_STATION / 2;

/**
 * A stranger's attempt takes the place of the same one from the same address, or of the oldest of strangers: a flood of
 * them cannot push out what the station itself went through. 0: there is no such station, and nothing was kept.
 */
const KEEP = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local function ofStrangers(outcome) return string.find(ARGV[5], ',' .. outcome .. ',', 1, true) ~= nil end
local stranger = ofStrangers(ARGV[2])
local strangers, times, kept = stranger and 1 or 0, tonumber(ARGV[4]), {}
for _, text in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
  local read, old = pcall(cjson.decode, text)
  if read and type(old.outcome) == 'string' then
    if not ofStrangers(old.outcome) then
      kept[#kept + 1] = text
    elseif stranger and old.outcome == ARGV[2] and old.remoteAddress == ARGV[3] then
      times = math.min(times + (tonumber(old.times) or 1), 1000000)
    elseif strangers < tonumber(ARGV[6]) then
      strangers = strangers + 1
      kept[#kept + 1] = text
    end
  end
end
local newest = ARGV[1]
if times > 1 then newest = string.sub(newest, 1, -2) .. ',"times":' .. string.format('%d', times) .. '}' end
redis.call('DEL', KEYS[2])
redis.call('RPUSH', KEYS[2], newest, unpack(kept))
redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[7]) - 1)
redis.call('EXPIRE', KEYS[2], ARGV[8])
return 1`;

const KEEP_UNKNOWN = `
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[2]) - 1)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1`;

/** Puts the attempt at the head of the station's list. False: there is no such station. Rejects when Redis is away. */
export async function keepAttempt(
  redis: AttemptStore,
  identity: StationIdentity,
  { times = 1, ...attempt }: ConnectionAttempt,
): Promise<boolean> {
  const kept = await redis.eval(
    KEEP,
    2,
    stationRecord(identity),
    connectionAttempts(identity),
    encodeAttempt(attempt),
    attempt.outcome,
    attempt.remoteAddress,
    times,
    `,${[...OF_STRANGERS].join(",")},`,
    STRANGERS_KEPT,
    ATTEMPTS_PER_STATION,
    ATTEMPTS_KEPT_SECONDS,
  );
  return kept === 1;
}

/** Puts the attempt at the head of the ring of those that belong to no station. Rejects when Redis is away. */
export async function keepUnknownAttempt(redis: AttemptStore, attempt: ConnectionAttempt): Promise<void> {
  const limits = [UNKNOWN_ATTEMPTS_KEPT, ATTEMPTS_KEPT_SECONDS];
  await redis.eval(KEEP_UNKNOWN, 1, UNKNOWN_ATTEMPTS, encodeAttempt(attempt), ...limits);
}
