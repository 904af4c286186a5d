-- The queues of an account, in the order of service: priority class, then the earliest deadline, then turns among jobs.
-- A job is in a queue exactly while it is runnable and has pieces of that kind ready. A member is "TURN:JOB", its score
-- class * 1e14 + deadline, so that the first member is the next to serve.
local order = {}
local FIELD = { calls = 'calls_turn', reads = 'reads_turn' }
local NO_DEADLINE = 5e13
order.CLASS = 1e14

-- The score of a job. A deadline is bounded, so that it never reaches into the next class.
local function score(class, deadline)
  return ms(tonumber(class) * order.CLASS + math.min(tonumber(deadline) or NO_DEADLINE, NO_DEADLINE))
end

-- The priority class of the first job of a queue; nil where the queue is empty.
function order.class_of(key)
  local score = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  return score and math.floor(tonumber(score) / order.CLASS)
end

-- The number of ready references of that kind in the first job.
function order.ready_first(kind)
  local head = call('ZRANGE', K[kind], 0, 0)[1]
  return head and tonumber(call('HGET', K.job(string.sub(head, 15)), kind) or 0) or 0
end

-- Whether the first job has a failure stop.
function order.first_is_guarded(kind)
  local head = call('ZRANGE', K[kind], 0, 0)[1]
  return head and call('HEXISTS', K.job(string.sub(head, 15)), 'stop') == 1
end

-- The list of a job's ready pieces. While the rest of a job waits for its canary, only the canary is ready to be called.
function order.list(kind, id)
  if kind == 'reads' then return K.job_reads(id) end
  return call('HEXISTS', K.job(id), 'rest') == 1 and K.job_canary(id) or K.job_calls(id)
end

-- Whether references of a job in this state may be claimed.
function order.runnable(state, kind)
  return state == 'queued' or state == 'running' or (state == 'aborting' and kind == 'reads')
end

-- Takes the job out of the queue of that kind.
function order.leave(id, kind)
  local jk = K.job(id)
  local h = call('HMGET', jk, FIELD[kind], kind)
  if not h[1] then return end
  call('ZREM', K[kind], h[1])
  call('HDEL', jk, FIELD[kind])
  call('HINCRBY', K.state, kind .. '_ready', 0 - tonumber(h[2] or 0))
end

-- Puts the job into the queue of that kind, behind jobs of its class and deadline, unless it is there already, is not
-- runnable, or has no such pieces.
function order.enter(id, kind)
  local jk = K.job(id)
  local h = call('HMGET', jk, 'state', kind, FIELD[kind], 'class', 'deadline')
  if h[3] or tonumber(h[2] or 0) == 0 or not order.runnable(h[1], kind) then return end
  local member = string.format('%013.0f:%s', call('HINCRBY', K.state, 'turn', 1), id)
  call('ZADD', K[kind], score(h[4], h[5]), member)
  call('HSET', jk, FIELD[kind], member)
  call('HINCRBY', K.state, kind .. '_ready', h[2])
end

-- Whether the job is called before other ready jobs; an urgent job also before staged claims.
function order.first(id)
  local ahead = call('ZRANGE', K.calls, 0, 1)
  if not ahead[1] or string.sub(ahead[1], 15) ~= id then return false end
  return #ahead == 2 or (order.class_of(K.calls) == 0 and call('ZCARD', K.claims) > 0)
end

-- Wakes the workers for a job that may be claimed now.
function order.announce(id) call('PUBLISH', WAKE, ACCOUNT .. (order.first(id) and ' first' or '')) end

-- Adds a piece to the front or the back of the job's ready pieces, and the job to its queue.
function order.add(id, kind, p, front)
  call(front and 'LPUSH' or 'RPUSH', order.list(kind, id), piece.encode(p))
  call('HINCRBY', K.job(id), kind, p.c)
  if call('HEXISTS', K.job(id), FIELD[kind]) == 1 then
    call('HINCRBY', K.state, kind .. '_ready', p.c)
  else
    order.enter(id, kind)
  end
end
