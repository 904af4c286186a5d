-- Trims one slice of old data: results that every registered group has read and no unfinished job needs, and the
-- records of finished jobs, with what the audit log says of that time.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 ms to keep results  4 ms to keep jobs
-- Answer  {results trimmed, jobs dropped}; call again while either is not 0
-- Keeps  results that a registered group has not read and acknowledged stay, and so do those that a webhook is still to
--        be told, and those of unfinished jobs.
local oldest = NOW - tonumber(ARGV[3])
local first_open = call('ZRANGE', K.open, 0, 0, 'WITHSCORES')[2]
if first_open then oldest = math.min(oldest, tonumber(first_open)) end
local limit = ms(oldest) .. '-0'

local function ms_of(id) return tonumber(string.match(id, '^(%d+)')) end

-- Keeps entries from this one on.
local function keep(unread)
  if ms_of(unread) < oldest then
    oldest = ms_of(unread)
    limit = unread
  end
end

if call('EXISTS', K.results) == 1 then
  for _, group in ipairs(call('XINFO', 'GROUPS', K.results)) do
    local g = {}
    for i = 1, #group, 2 do g[group[i]] = group[i + 1] end
    local unread = g['last-delivered-id']
    if g.pending > 0 then unread = call('XPENDING', K.results, g.name)[2] end
    keep(unread)
  end
end
local next_of = {} -- of webhooks that are disabled: the entry that they would be told next
for _, id in ipairs(call('ZRANGE', K.webhooks, 0, -1)) do
  local h = call('HMGET', K.webhook(id), 'state', 'results_seen', 'results')
  if h[3] == '1' and h[1] == 'enabled' then
    keep(h[2])
  elseif h[3] == '1' then
    local entry = call('XRANGE', K.results, '(' .. h[2], '+', 'COUNT', 1)[1]
    next_of[id] = entry and entry[1]
  end
end
local results = 0
if oldest > 0 and call('EXISTS', K.results) == 1 then
  results = call('XTRIM', K.results, 'MINID', '~', limit, 'LIMIT', 2000)
end
for id, entry in pairs(next_of) do
  if #call('XRANGE', K.results, entry, entry) == 0 then
    local first = call('XRANGE', K.results, '-', '+', 'COUNT', 1)[1]
    call('HSETNX', K.webhook(id), 'missed_from', ms(ms_of(entry)))
    call('HSET', K.webhook(id), 'missed_to', ms(first and ms_of(first[1]) or NOW))
  end
end
local jobs = call('ZRANGEBYSCORE', K.finished, '-inf', ms(NOW - tonumber(ARGV[4])), 'LIMIT', 0, 100)
for _, id in ipairs(jobs) do
  call('UNLINK', K.job(id), K.job_runs(id), K.job_calls(id), K.job_canary(id), K.job_reads(id), K.job_later(id), K.job_alone(id),
    K.job_invalid(id))
  call('ZREM', K.jobs, id)
  call('ZREM', K.finished, id)
  call('ZREM', K.ended, id, 'halted:' .. id, 'approval:' .. id)
end
redis.pcall('XTRIM', K.audit(), 'MINID', '~', ms(NOW - tonumber(ARGV[4])) .. '-0', 'LIMIT', 2000)
call('ZREMRANGEBYSCORE', K.workers, '-inf', ms(NOW - 3600000))
call('ZREMRANGEBYSCORE', K.served, '-inf', ms(NOW - 3600000))
return { results, #jobs }
