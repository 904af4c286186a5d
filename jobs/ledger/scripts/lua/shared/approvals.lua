-- Approvals: a job waits, held, until so many persons other than who handed it in have looked at it. Fields of such a job:
--   approvals_wanted   how many      approvals   JSON [{by, at ms}, ...]: those given
--   approval_why       what the job passes of its guards, "KIND FOUND LIMIT OF;..." (jobs/safety/guard.py)
--   approval_until     when it lapses, ms
--   rejected_by, rejected_at, reject_reason   who has rejected it, when (ms) and why
-- A job that waits is in `approvals` with that time, and neither in `held` nor in a queue.
local approval = {}

function approval.given(id) return cjson.decode(call('HGET', K.job(id), 'approvals') or '[]') end

-- Whether the job needs approvals that it has not got.
function approval.lacks(id)
  local wanted = call('HGET', K.job(id), 'approvals_wanted')
  return wanted and #approval.given(id) < tonumber(wanted) or false
end

-- Notes a verdict (shared/guards.lua) in a job; answers whether the job waits for approval because of it.
function approval.note(id, verdict)
  if not verdict then return false end
  local jk = K.job(id)
  if verdict.overrode ~= '' then call('HSET', jk, 'overrode', verdict.overrode) end
  if not verdict.wanted then return false end
  local h = call('HMGET', jk, 'approvals_wanted', 'approval_why')
  call('HSET', jk, 'approvals_wanted', math.max(verdict.wanted, tonumber(h[1] or 0)),
    'approval_why', (h[2] and h[2] .. ';' or '') .. verdict.why)
  if not approval.lacks(id) then return false end
  call('HSET', jk, 'approval_until', ms(NOW + verdict.keep))
  approval.wait(id)
  job.tell('approval:' .. id)
  return true
end

-- Has a job wait that lacks approvals; its state is for the caller to write.
function approval.wait(id)
  call('ZREM', K.held, id)
  call('ZADD', K.approvals, call('HGET', K.job(id), 'approval_until'), id)
end

-- The state of a job that has not started and stands still no more: it waits for approval, until its start or its
-- hold has passed, or no longer. Enters it where it belongs.
function approval.go_on(id)
  local jk = K.job(id)
  local h = call('HMGET', jk, 'start_at', 'hold_until')
  local held = math.max(tonumber(h[1] or 0), tonumber(h[2] or 0))
  local lacks = approval.lacks(id)
  local state = (lacks or held > NOW) and 'held' or 'queued'
  call('HSET', jk, 'state', state)
  if lacks then
    approval.wait(id)
  else
    call('ZREM', K.approvals, id)
    if state == 'held' then call('ZADD', K.held, ms(held), id) end
  end
  return state
end

-- Holds a job that is about to start and was not held for as long as its account's workers ask: none of them lived as it
-- was handed in. Answers until when, ms; nil where it goes on.
local function late_hold(id)
  local hold, jk = safeguards.hold(), K.job(id)
  if hold <= tonumber(call('HGET', jk, 'hold') or 0) then return nil end
  call('HSET', jk, 'hold', ms(hold), 'hold_until', ms(NOW + hold))
  return NOW + hold
end

-- Judges a queued job as it is about to start; answers whether it is held, or waits for approval, instead.
function approval.stops(id)
  local held = late_hold(id)
  if not approval.note(id, guard.at_start(id)) then
    if approval.lacks(id) then
      approval.wait(id) -- an older version has let it go on
    elseif held then
      call('ZADD', K.held, ms(held), id)
    else
      return false
    end
  end
  order.leave_all(id)
  call('HSET', K.job(id), 'state', 'held')
  return true
end
