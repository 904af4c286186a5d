-- The order of the policy: priority class, then the earliest deadline, then fair turns among jobs.
-- A job stands in an order exactly while it is runnable and has pieces ready of that kind. A member is
-- "TURN:JOB" with a score of class * 1e14 + deadline, so that the first member is the next to serve.
local order = {}
local FIELD = { calls = 'calls_turn', reads = 'reads_turn' }
local NO_DEADLINE = 5e13
order.CLASS = 1e14

-- Where a job stands before its turn: a deadline never reaches into the next class.
local function score(class, deadline)
  return ms(tonumber(class) * order.CLASS + math.min(tonumber(deadline) or NO_DEADLINE, NO_DEADLINE))
end

-- The priority class of what is first in an order; nil where nothing is.
function order.class_of(key)
  local score = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  return score and math.floor(tonumber(score) / order.CLASS)
end

-- References of that kind that are ready in the job that is next.
function order.ready_first(kind)
  local head = call('ZRANGE', K[kind], 0, 0)[1]
  return head and tonumber(call('HGET', K.job(string.sub(head, 15)), kind) or 0) or 0
end

function order.list(kind, id) return kind == 'reads' and K.job_reads(id) or K.job_calls(id) end

-- May references of a job in this state be taken?
function order.runnable(state, kind)
  return state == 'queued' or state == 'running' or (state == 'aborting' and kind == 'reads')
end

-- Takes the job out of the order of that kind.
function order.leave(id, kind)
  local jk = K.job(id)
  local h = call('HMGET', jk, FIELD[kind], kind)
  if not h[1] then return end
  call('ZREM', K[kind], h[1])
  call('HDEL', jk, FIELD[kind])
  call('HINCRBY', K.state, kind .. '_ready', 0 - tonumber(h[2] or 0))
end

-- Puts the job into the order of that kind, at the end of its class and deadline, where it is runnable, has such
-- pieces and stands in it no more.
function order.enter(id, kind)
  local jk = K.job(id)
  local h = call('HMGET', jk, 'state', kind, FIELD[kind], 'class', 'deadline')
  if h[3] or tonumber(h[2] or 0) == 0 or not order.runnable(h[1], kind) then return end
  local member = string.format('%013.0f:%s', call('HINCRBY', K.state, 'turn', 1), id)
  call('ZADD', K[kind], score(h[4], h[5]), member)
  call('HSET', jk, FIELD[kind], member)
  call('HINCRBY', K.state, kind .. '_ready', h[2])
end

-- Whether the job is called before others that are ready; an urgent one also before what is only staged.
function order.first(id)
  local ahead = call('ZRANGE', K.calls, 0, 1)
  if not ahead[1] or string.sub(ahead[1], 15) ~= id then return false end
  return #ahead == 2 or (order.class_of(K.calls) == 0 and call('ZCARD', K.claims) > 0)
end

-- Wakes the workers for a job that may be called now.
function order.announce(id) call('PUBLISH', WAKE, ACCOUNT .. (order.first(id) and ' first' or '')) end

-- Adds a piece to the job's ready ones, at the front or the back, and the job to the order.
function order.add(id, kind, p, front)
  call(front and 'LPUSH' or 'RPUSH', order.list(kind, id), piece.encode(p))
  call('HINCRBY', K.job(id), kind, p.c)
  if call('HEXISTS', K.job(id), FIELD[kind]) == 1 then
    call('HINCRBY', K.state, kind .. '_ready', p.c)
  else
    order.enter(id, kind)
  end
end

local function score_of(id)
  local h = call('HMGET', K.job(id), 'class', 'deadline')
  return score(h[1], h[2])
end

-- A group is what one call names alone: pieces of one job or several that no other reference may join.
local group = {}

function group.new() return ms(call('HINCRBY', K.state, 'groups', 1)) end

function group.add(id, g, p)
  local field = g .. ':' .. call('HINCRBY', K.job(id), 'pieces', 1)
  p.k, p.g = nil, nil
  call('HSET', K.job_alone(id), field, piece.encode(p))
  call('HINCRBY', K.job(id), 'alone', p.c)
  local pieces = call('HGET', K.groups, g)
  call('HSET', K.groups, g, (pieces and pieces .. ' ' or '') .. id .. '/' .. field)
  call('ZADD', K.alone, score_of(id), g)
end

-- Takes a piece off its group's list; a group of which nothing is left ends.
function group.forget(id, field)
  local g, rest = string.match(field, '^%d+'), {}
  for entry in string.gmatch(call('HGET', K.groups, g) or '', '%S+') do
    if entry ~= id .. '/' .. field then rest[#rest + 1] = entry end
  end
  if #rest > 0 then
    call('HSET', K.groups, g, table.concat(rest, ' '))
  else
    call('HDEL', K.groups, g)
    call('ZREM', K.alone, g)
  end
end

-- Takes a piece out of the job; its group's list is the caller's to mend.
function group.take(id, field)
  local text = call('HGET', K.job_alone(id), field)
  if not text then return nil end
  local p = piece.decode(text)
  call('HDEL', K.job_alone(id), field)
  call('HINCRBY', K.job(id), 'alone', -p.c)
  return p
end

-- Puts the groups of a job that may go on back into the order.
function group.enter(id)
  for _, field in ipairs(call('HKEYS', K.job_alone(id))) do
    call('ZADD', K.alone, score_of(id), string.match(field, '^%d+'))
  end
end

function order.enter_all(id) order.enter(id, 'calls') order.enter(id, 'reads') group.enter(id) end
function order.leave_all(id) order.leave(id, 'calls') order.leave(id, 'reads') end
