import {
  ATTEMPTS_KEPT_SECONDS,
  ATTEMPTS_PER_STATION,
  encodeAttempt,
  UNKNOWN_ATTEMPTS_KEPT,
  type AttemptOutcome,
  type ConnectionAttempt,
} from "@dynamo-csms/proto/connection-attempt";
import { redisScript, type ScriptHost } from "@dynamo-csms/proto/process/redis-script";
import { connectionAttempts, stationRecord, UNKNOWN_ATTEMPTS } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";

/** An attempt of whom its URL names. */
export interface StationAttempt {
  identity: StationIdentity;
  attempt: ConnectionAttempt;
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
 *
 * For all: the outcomes of strangers, how many of those, how many at all, for how many seconds. Of each the keys of record and
 * list; the attempt, its outcome, address and times.
 */
const KEEP = redisScript(`
local outcomes, strangersKept, kept, seconds = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local function ofStrangers(outcome) return string.find(outcomes, ',' .. outcome .. ',', 1, true) ~= nil end
local function keep(record, list, newest, outcome, address, times)
  if redis.call('EXISTS', record) == 0 then return 0 end
  local stranger = ofStrangers(outcome)
  local strangers, former = stranger and 1 or 0, {}
  for _, text in ipairs(redis.call('LRANGE', list, 0, -1)) do
    local read, old = pcall(cjson.decode, text)
    if read and type(old.outcome) == 'string' then
      if not ofStrangers(old.outcome) then
        former[#former + 1] = text
      elseif stranger and old.outcome == outcome and old.remoteAddress == address then
        times = math.min(times + (tonumber(old.times) or 1), 1000000)
      elseif strangers < strangersKept then
        strangers = strangers + 1
        former[#former + 1] = text
      end
    end
  end
  if times > 1 then newest = string.sub(newest, 1, -2) .. ',"times":' .. string.format('%d', times) .. '}' end
  redis.call('DEL', list)
  redis.call('RPUSH', list, newest, unpack(former))
  redis.call('LTRIM', list, 0, kept - 1)
  redis.call('EXPIRE', list, seconds)
  return 1
end
local answers = {}
for at = 1, #KEYS / 2 do
  local n = at * 4
  answers[at] = keep(KEYS[at * 2 - 1], KEYS[at * 2], ARGV[n + 1], ARGV[n + 2], ARGV[n + 3], tonumber(ARGV[n + 4]))
end
return answers`);

const KEEP_UNKNOWN = redisScript(`
redis.call('LPUSH', KEYS[1], unpack(ARGV, 3))
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[1]) - 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1`);

/** Each list is read and written as a whole: more at a time would hold up what else Redis has to do. */
const PER_COMMAND = 16;

export type AttemptStore = ReturnType<typeof createAttemptStore>;

/** The lists of attempts in Redis. @param atOnce 1 where stations' keys are on different servers */
export function createAttemptStore(redis: ScriptHost, atOnce: number) {
  const most = Math.min(atOnce, PER_COMMAND);
  const forAll = [`,${[...OF_STRANGERS].join(",")},`, STRANGERS_KEPT, ATTEMPTS_PER_STATION, ATTEMPTS_KEPT_SECONDS];

  async function keepSome(batch: readonly StationAttempt[]): Promise<StationAttempt[]> {
    const keys = batch.flatMap(({ identity }) => [stationRecord(identity), connectionAttempts(identity)]);
    const each = batch.flatMap(({ attempt: { times = 1, ...attempt } }) => [
      encodeAttempt(attempt),
      attempt.outcome,
      attempt.remoteAddress,
      times,
    ]);
    const kept = (await KEEP(redis, keys, [...forAll, ...each])) as number[];
    return batch.filter((_, at) => kept[at] !== 1);
  }

  return {
    /**
     * Puts each attempt at the head of its station's list. Gives back those whose station there is not. Rejects when Redis is
     * away, and what could be kept was kept.
     */
    async keep(attempts: readonly StationAttempt[]): Promise<StationAttempt[]> {
      const batches: Promise<StationAttempt[]>[] = [];
      for (let at = 0; at < attempts.length; at += most) batches.push(keepSome(attempts.slice(at, at + most)));
      return (await Promise.all(batches)).flat();
    },

    /** Puts attempts, the oldest first, at the head of the ring of those that belong to no station. Rejects when Redis is away. */
    async keepUnknown(attempts: readonly ConnectionAttempt[]): Promise<void> {
      if (attempts.length === 0) return;
      const limits = [UNKNOWN_ATTEMPTS_KEPT, ATTEMPTS_KEPT_SECONDS];
      await KEEP_UNKNOWN(redis, [UNKNOWN_ATTEMPTS], [...limits, ...attempts.map(encodeAttempt)]);
    },
  };
}
