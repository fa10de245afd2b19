import { redisScript } from "@dynamo-csms/proto/process/redis-script";

// Each works on several stations at once, those of one turn of the event loop: so many keys and arguments for each, behind the
// arguments for all. What goes wrong with one station must not touch the others: its answer is {'failed', why}.

/** What a script for several stations ends with. @param stationArguments of each @param common arguments in front of those */
const forEach = (work: string, keys: number, stationArguments: number, common: number) => `
local answers = {}
for at = 0, #KEYS / ${keys} - 1 do
  local given = {}
  for n = 1, ${keys} do given[n] = KEYS[at * ${keys} + n] end
  for n = 1, ${stationArguments} do given[${keys} + n] = ARGV[${common} + at * ${stationArguments} + n] end
  local done, answer = pcall(${work}, unpack(given))
  answers[at + 1] = done and answer or {'failed', type(answer) == 'table' and answer.err or tostring(answer)}
end
return answers`;

const CLOCK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local nowText = string.format('%.0f', now)`;

/** Arguments for all. */
const TAKE_COMMON = 6;

/**
 * The clock makes epochs grow even when Redis lost the former one; the stored one makes them grow even when the clock
 * stepped back. Numbers go out as text: Lua's would be cut to 14 digits. Nothing is taken for a station whose record
 * became another one since it was admitted: its password may have been withdrawn. And nothing is taken from a connection
 * that may be alive when there were too many takeovers of late, or when two addresses take the station from each other.
 *
 * And a station that connects and leaves, again and again, waits before it is let in once more. Only while its last
 * connection was one of those: what ended otherwise since (a deploy, a node that died) holds nobody up.
 *
 * For all: node, takeover window, takeovers allowed, short connections allowed (0: any), first and longest wait. Of each
 * station the keys of its owner, record, takeovers and flaps; revision of its record, attempt, address, dead epoch.
 */
export const TAKE = redisScript(`
local node, window, allowed = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local flapsAllowed, firstWait, longestWait = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
${CLOCK}
local function take(owner, record, takeovers, flapping, admittedRev, attempt, address, deadEpoch)
  local rev = tonumber(redis.call('HGET', record, 'rev'))
  if rev and rev > tonumber(admittedRev) then return {'recordChanged'} end
  local former = redis.call('HMGET', owner, 'node', 'epoch')
  local flaps = redis.call('HMGET', flapping, 'times', 'endedAt', 'admittedAt')
  local tooMany = (tonumber(flaps[1]) or 0) - flapsAllowed
  if flapsAllowed > 0 and tooMany > 0 and not flaps[3] then
    local wait = math.min(firstWait * 2 ^ math.min(tooMany - 1, 20), longestWait)
    local left = math.min(tonumber(flaps[2]) + wait - now, wait)
    if left > 0 then return {'flapping', flaps[1], string.format('%.0f', left)} end
  end
  if former[1] then
    local from = {}
    for _, entry in ipairs(redis.call('LRANGE', takeovers, 0, -1)) do
      local at, of = string.match(entry, '^(%d+) (.*)$')
      if tonumber(at) > now - window then from[#from + 1] = of end
    end
    local alternating = #from >= 2 and from[1] ~= address and from[2] == address
    if (#from >= allowed or alternating) and former[2] ~= deadEpoch then
      return {'contested', former[1], former[2], tostring(#from)}
    end
    redis.call('LPUSH', takeovers, nowText .. ' ' .. address)
    redis.call('LTRIM', takeovers, 0, 9)
    redis.call('PEXPIRE', takeovers, window)
  end
  local epoch = string.format('%.0f', math.max((tonumber(former[2]) or 0) + 1, now))
  redis.call('HSET', owner, 'node', node, 'epoch', epoch, 'attempt', attempt,
    'formerNode', former[1] or '', 'formerEpoch', former[2] or '0')
  if flaps[1] then redis.call('HSET', flapping, 'admittedAt', nowText) end
  return {'taken', epoch, former[1] or '', former[2] or '0'}
end
${forEach("take", 4, 4, TAKE_COMMON)}`);

/** What TAKE did in this attempt, if it is still the last word on the station. */
export const FIND_ATTEMPT = redisScript(`#!lua flags=no-writes
local held = redis.call('HMGET', KEYS[1], 'attempt', 'epoch', 'formerNode', 'formerEpoch')
if held[1] ~= ARGV[1] then return false end
return {held[2], held[3], held[4]}`);

/**
 * The epoch stays, so that the next one is higher; the node goes. For all: how long flaps are kept. Of each station the keys of
 * its owner and flaps; epoch, and how its stay counts.
 */
export const RELEASE = redisScript(`
local kept = ARGV[1]
${CLOCK}
local function release(owner, flaps, epoch, stay)
  if redis.call('HGET', owner, 'epoch') ~= epoch then return {'newer'} end
  redis.call('HDEL', owner, 'node', 'attempt', 'formerNode', 'formerEpoch')
  if stay == 'short' then
    redis.call('HINCRBY', flaps, 'times', 1)
    redis.call('HSET', flaps, 'endedAt', nowText)
    redis.call('HDEL', flaps, 'admittedAt')
    redis.call('PEXPIRE', flaps, kept)
  elseif stay == 'lasting' then
    redis.call('DEL', flaps)
  end
  return {'done'}
end
${forEach("release", 2, 2, 1)}`);

/** Writes over a missing or older owner only. For all: the node. Of each station the key of its owner; epoch. */
export const REASSERT = redisScript(`
local node = ARGV[1]
local function reassert(owner, epoch)
  local stored = tonumber(redis.call('HGET', owner, 'epoch')) or 0
  if stored > tonumber(epoch) then return {'newer'} end
  redis.call('HSET', owner, 'node', node, 'epoch', epoch)
  return {'done'}
end
${forEach("reassert", 1, 1, 1)}`);
