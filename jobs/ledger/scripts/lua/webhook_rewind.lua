-- Takes an endpoint of webhooks back to a time: all events since then are told once more.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 endpoint  4 since, ms
-- Answer  1, or 0 where there is none
-- Keeps  it only goes back: nothing is left out by it.
local id, since = ARGV[3], ARGV[4]
local h = call('HMGET', K.webhook(id), 'ended_seen', 'results_seen')
if not h[1] then return 0 end
local at, seen = 0, tonumber(h[1])
local function see(member)
  local number = call('ZSCORE', K.ended, member)
  if number then seen = math.min(seen, tonumber(number) - 1) end
end
for _, name in ipairs(call('ZRANGE', K.open, 0, 1999)) do
  if tonumber(call('HGET', K.job(name), 'halted_at') or 0) >= tonumber(since) then see(name .. ' halted') end
end
repeat
  local jobs = call('ZRANGEBYSCORE', K.finished, since, '+inf', 'LIMIT', at, 100)
  for _, name in ipairs(jobs) do
    see(name)
  end
  at = at + 100
until #jobs == 0 or seen < tonumber(h[1]) or at >= 2000
call('HSET', K.webhook(id), 'ended_seen', ms(seen))
if tonumber(string.match(h[2], '^(%d+)')) >= tonumber(since) then
  call('HSET', K.webhook(id), 'results_seen', ms(math.max(0, tonumber(since) - 1)) .. '-9999999')
end
call('HDEL', K.webhook(id), 'missed_from', 'missed_to')
return 1
