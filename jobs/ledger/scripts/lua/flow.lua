-- Stores a drain's counters, and moves the account's flow control by compare-and-set.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account
--       3 JSON {drain?, counters?, every}: the drain's counters since its start, as text; ms between two moves
--       4 '' or JSON {version, state, set {field: value}, once {field: value}, unset [field], gate}: the state that
--         follows `version`, as text; fields of the account's state that claims obey; `once` fields (the breaker's) are set
--         only if they are missing; gate 1 where workers must release staged claims
-- Answer  {moved, version, now, calls in flight, list size, state or '', drain, counters, ...}: moved 1 where
--         the state in force is the one that was sent; list size: the batch size set by a 413, or 0; drains and
--         counters only where a move is due
-- Keeps  one state follows a version, whoever sends it first; counters replace only those of the same drain.
local KEPT_MS = 60000 -- for drains that have ended; a live drain may be silent for longer, and its counters stay
local function text(value) return type(value) == 'number' and ms(value) or value end

local doc = cjson.decode(ARGV[3])
if doc.drain then call('HSET', K.flow, doc.drain, ms(NOW) .. ' ' .. doc.counters) end
local h = call('HMGET', K.state, 'flow_version', 'flow', 'limit_at', 'list_size')
local version, state, moved_at = tonumber(h[1] or 0), h[2] or '', tonumber(h[3] or 0)
local moved = 0
if ARGV[4] ~= '' then
  local next_ = cjson.decode(ARGV[4])
  if version == next_.version then
    version, state, moved_at = version + 1, next_.state, NOW
    call('HSET', K.state, 'flow_version', version, 'flow', state, 'limit_at', ms(NOW))
    for field, value in pairs(next_.set) do call('HSET', K.state, field, text(value)) end
    for field, value in pairs(next_.once) do
      -- The breaker has just opened: its time is set once, and the openings are counted.
      if call('HSETNX', K.state, field, text(value)) == 1 then call('HINCRBY', K.state, 'breaker_opened', 1) end
    end
    for _, field in ipairs(next_.unset) do call('HDEL', K.state, field) end
    if next_.gate == 1 then
      call('HINCRBY', K.state, 'gate', 1)
      call('PUBLISH', WAKE, ACCOUNT .. ' gate')
    end
  end
  moved = state == next_.state and 1 or 0
end
local answer = { moved, version, ms(NOW), call('ZCOUNT', K.slots, ms(NOW), '+inf'), h[4] or '0', state }
if NOW - moved_at < doc.every then return answer end
local all = call('HGETALL', K.flow)
for i = 1, #all, 2 do
  local at, counters = string.match(all[i + 1], '^(%d+) (.*)$')
  if NOW - tonumber(at) > KEPT_MS and tonumber(call('ZSCORE', K.drains, all[i]) or 0) < NOW then
    call('HDEL', K.flow, all[i])
  else
    answer[#answer + 1] = all[i]
    answer[#answer + 1] = counters
  end
end
return answer
