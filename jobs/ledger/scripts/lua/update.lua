-- Changes the priority or the deadline of a job that has not ended. What waits is at its new place at once.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job
--       4 JSON {priority?, class?, deadline?, revision?}: the new priority and its class; the new deadline, ms, 0 for
--         none; the number of changes that the caller knows of, where the job must have no other
-- Answer  {word, state, more}: 'done'; 'state' where the state does not allow it, '' for an unknown job; 'past' where
--         the deadline has passed, and so is not moved; 'stale' where it was changed since.
--         more: 1 where groups are left that slice.lua moves
-- Keeps  calls that have started end as they end. Claims that are staged are released, so that the change holds for
--        them too. A change to what there is already changes nothing.
local MOST_GROUPS = 1000
local id, doc = ARGV[3], cjson.decode(ARGV[4])
local jk = K.job(id)
kinds.job(id)
local h = call('HMGET', jk, 'state', 'priority', 'deadline', 'revision', 'claimed')
local state = h[1] or ''
if state ~= 'held' and state ~= 'queued' and state ~= 'running' and state ~= 'paused' and state ~= 'halted' then return { 'state', state, 0 } end

-- Whether the job has urgent reads or groups, and no urgent call waits: they go before staged claims, too.
local function urgent_apart()
  local found = call('HMGET', jk, 'class', 'reads_turn', 'alone')
  if found[1] ~= '0' or not order.runnable(state, 'calls') or order.class_of(K.calls) == 0 then return false end
  return found[2] or tonumber(found[3] or 0) > 0
end

local ranks = doc.priority and doc.priority ~= h[2]
local moves = doc.deadline and ms(doc.deadline) ~= (h[3] or '0')
if not ranks and not moves then return { 'done', state, 0 } end
if doc.revision and doc.revision ~= tonumber(h[4] or 0) then return { 'stale', state, 0 } end
if moves and h[3] and tonumber(h[3]) <= NOW then return { 'past', state, 0 } end

order.leave_all(id)
if ranks then call('HSET', jk, 'priority', doc.priority, 'class', doc.class) end
if moves and doc.deadline == 0 then
  call('HDEL', jk, 'deadline')
  call('ZREM', K.deadlines, id)
elseif moves then
  call('HSET', jk, 'deadline', ms(doc.deadline))
  call('ZADD', K.deadlines, ms(doc.deadline), id)
end
call('HINCRBY', jk, 'revision', 1)
order.enter(id, 'calls')
order.enter(id, 'reads')
local more = 0
if call('HLEN', K.job_alone(id)) > 0 then
  call('HSET', jk, 'regroup', '0')
  group.move(id, MOST_GROUPS)
  if call('HEXISTS', jk, 'regroup') == 1 then
    call('ZADD', K.slices, ms(NOW), id)
    more = 1
  end
end
if tonumber(h[5] or 0) > 0 then
  call('HINCRBY', K.state, 'gate', 1)
  call('PUBLISH', WAKE, ACCOUNT .. ' gate')
end
if urgent_apart() then call('PUBLISH', WAKE, ACCOUNT .. ' first') else order.announce(id) end
return { 'done', state, more }
