-- Changes of a job's state, and the next place of references that have no result yet.
local job = {}
local DEALLOCATED = 'it was deallocated before, or may have been, and may be without its carrier' -- responses/steps.py

-- Why no more references of the job may be sent: 'aborted' or 'expired', and in words where they are known; nil where
-- they may.
function job.ending(id)
  local h = call('HMGET', K.job(id), 'state', 'deadline', 'aborted_why')
  if h[1] == 'aborting' then return 'aborted', h[3] end
  if h[2] and tonumber(h[2]) <= NOW then return 'expired' end
  return nil
end

-- Begins to abort a job: no more of its references are called. slice.lua writes the results of those never sent.
function job.abort(id)
  order.leave_all(id)
  call('HSET', K.job(id), 'state', 'aborting')
  call('ZREM', K.held, id)
  call('ZREM', K.approvals, id)
  call('ZADD', K.slices, ms(NOW), id)
  call('HINCRBY', K.state, 'gate', 1)
  order.enter(id, 'reads')
  call('PUBLISH', WAKE, ACCOUNT .. ' gate')
end

-- Numbers an event of a job, for webhooks: its id for its end, "halted:ID" for its last halt, "approval:ID" where it must be
-- approved. Where there are no webhooks, this is one look.
function job.tell(event)
  if call('ZCARD', K.webhooks) == 0 then return end
  call('ZADD', K.ended, call('HINCRBY', K.totals, 'ended', 1), event)
end

-- Finishes the job if none of its references is left.
function job.finish_when_done(id)
  local jk = K.job(id)
  local h = call('HMGET', jk, 'state', 'calls', 'reads', 'later', 'claimed', 'invalid_left', 'alone', 'rest')
  if not h[1] or h[1] == 'sealing' or h[1] == 'completed' or h[1] == 'aborted' then return false end
  for i = 2, 8 do
    if tonumber(h[i] or 0) ~= 0 then return false end
  end
  call('HSET', jk, 'state', h[1] == 'aborting' and 'aborted' or 'completed', 'finished_at', ms(NOW))
  call('ZREM', K.open, id)
  call('ZADD', K.finished, ms(NOW), id)
  job.tell(id)
  call('ZREM', K.deadlines, id)
  call('ZREM', K.held, id)
  call('ZREM', K.approvals, id)
  call('ZREM', K.slices, id)
  return true
end

-- Puts references without a result back, for a call or a read, now or later. In a job that is ending, references that
-- were never sent get their result here, and those that may have been sent are only read.
--   p the piece   kind 'calls', 'alone' or 'reads'   due ms, 0 for now   front whether it goes before queued pieces
--   g the group, where it is to be called alone   seen {status, state} that a read has just found
function job.put_back(id, p, kind, due, front, g, seen)
  local ending, why
  if kind ~= 'reads' then ending, why = job.ending(id) end
  if ending then
    if p.m == 0 then
      local verdict = { outcome = ending, status = seen and seen.status, state = seen and seen.state,
        message = p.d and DEALLOCATED or why or nil }
      result.write(id, p.refs, p.c, verdict, p.n)
      return
    end
    kind, due, front = 'reads', math.max(due, p.m), false
  end
  if due <= NOW then
    if kind == 'alone' then
      group.add(id, g or group.new(), p)
    else
      order.add(id, kind, p, front)
    end
    return
  end
  local n = call('HINCRBY', K.job(id), 'pieces', 1)
  p.k, p.g = kind, g
  call('HSET', K.job_later(id), n, piece.encode(p))
  call('ZADD', K.later, ms(due), id .. ':' .. n)
  call('HINCRBY', K.job(id), 'later', p.c)
end

-- Makes pieces ready that are due, of at most `most` references of the account.
function job.promote(most)
  local due = call('ZRANGEBYSCORE', K.later, '-inf', ms(NOW), 'LIMIT', 0, 20)
  for _, member in ipairs(due) do
    local id, n = string.match(member, '^(.-):(.+)$')
    local p = piece.decode(call('HGET', K.job_later(id), n))
    if p.c > most then return end
    most = most - p.c
    call('ZREM', K.later, member)
    call('HDEL', K.job_later(id), n)
    call('HINCRBY', K.job(id), 'later', -p.c)
    local kind, g, rear = p.k, p.g, p.b
    p.k, p.g, p.b = nil, nil, nil
    job.put_back(id, p, kind, 0, not rear, g)
    job.finish_when_done(id)
  end
end

-- Names the drains to enqueue: as many as the ready work can use, at most one for each live worker. They count as live
-- for a short while, so that other scripts do not name more.
function job.drains_wanted(per_call)
  local PENDING_MS, WORKER_MS = 2000, 4000
  local h = call('HMGET', K.state, 'calls_ready', 'reads_ready', 'paused', 'hold_until', 'breaker', 'breaker_next')
  local units = math.ceil(tonumber(h[1] or 0) / per_call) + tonumber(h[2] or 0) + call('ZCARD', K.alone)
  if h[3] or units == 0 or tonumber(h[4] or 0) > NOW or stop_all.stands() then return {} end
  if h[5] then
    if tonumber(h[6]) > NOW then return {} end
    units = 1 -- a probe
  end
  local workers = math.max(1, call('ZCOUNT', K.workers, ms(NOW - WORKER_MS), '+inf'))
  local live = call('ZCOUNT', K.drains, ms(NOW), '+inf')
  local names = {}
  for _ = live + 1, math.min(workers, units) do
    local name = 'drain' .. call('HINCRBY', K.state, 'drain_turn', 1)
    call('ZADD', K.drains, ms(NOW + PENDING_MS), name)
    names[#names + 1] = name
  end
  return names
end
