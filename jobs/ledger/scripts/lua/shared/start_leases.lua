-- Start leases: for a moment a worker may start calls of jobs with a failure stop without asking for the gate first. Such
-- a job halts only once every lease has ended, so that none of its calls starts after the halt; or where none of its calls
-- can start, since nothing else of it is under way.
--   A settlement that would halt a job is put off until the last lease ends, and is sent again then. It first raises the
--   gate's version, so that workers that hear of it start nothing more, and nothing is claimed until it has come. Where
--   it does not come, its worker is gone. For a while no lease is given, so that the settlement finds none. Those that
--   come after it are put off too.
-- Fields of the account's state:
--   starts_until   when the last lease ends, ms
--   starts_for     the length of that lease, ms: where it seems to end later, the server's clock was set back since
--   halt_at        the same, as it was when a settlement was last put off; gone once a job has halted
--   halt_by        the claim of that settlement
local starts = {}
local NO_LEASE_MS, COMES_WITHIN_MS, LOOK_AGAIN_MS = 2000, 100, 5

-- Ends what seems to last for longer than a lease: the server's clock was set back, as by a failover. A lease that was given
-- before ends within its length from now, and whoever waits for a halt sends it again.
function starts.mend(h)
  local ends = NOW + tonumber(h.starts_for or 0)
  if h.starts_until and tonumber(h.starts_until) > ends then
    h.starts_until = ms(ends)
    call('HSET', K.state, 'starts_until', h.starts_until)
  end
  if h.halt_at and tonumber(h.halt_at) > ends then
    h.halt_at, h.halt_by = nil, nil
    call('HDEL', K.state, 'halt_at', 'halt_by')
  end
  return h
end

local function read()
  local h = call('HMGET', K.state, 'starts_until', 'starts_for', 'halt_at', 'halt_by')
  return starts.mend({ starts_until = h[1] or nil, starts_for = h[2] or nil, halt_at = h[3] or nil, halt_by = h[4] or nil })
end

-- The time (ms) until a halt that was put off must have come; 0 where none is awaited.
function starts.halting(h) return math.max(0, tonumber(h.halt_at or 0) + COMES_WITHIN_MS - NOW) end

-- Gives a lease of so many ms, where it is asked for and no halt is awaited; answers whether it did.
function starts.lease(length_ms, h)
  if not length_ms or NOW < tonumber(h.halt_at or 0) + NO_LEASE_MS then return false end
  if NOW + length_ms > tonumber(h.starts_until or 0) then
    call('HSET', K.state, 'starts_until', ms(NOW + length_ms), 'starts_for', ms(length_ms))
  end
  return true
end

-- Ends the giving of leases, so that a job can halt; answers the time (ms) until the last one has ended. `by` is the claim
-- whose settlement halts it, nil where none does.
function starts.revoke(by)
  local h = read()
  local left = tonumber(h.starts_until or 0) - NOW
  if left <= 0 then return 0 end
  if by and not (h.halt_by and h.starts_until == h.halt_at) then call('HSET', K.state, 'halt_by', by) end
  if h.starts_until ~= h.halt_at then
    call('HSET', K.state, 'halt_at', h.starts_until)
    call('HINCRBY', K.state, 'gate', 1)
    call('PUBLISH', WAKE, ACCOUNT .. ' gate')
  end
  return left
end

-- Notes that a job has halted: others may be claimed.
function starts.halted() call('HDEL', K.state, 'halt_at', 'halt_by') end

-- The time (ms) for which a settlement must let another one go first, which halts a job; 0 where it need not. Then both
-- count as they came.
function starts.behind(id)
  local h = read()
  local by = h.halt_by
  if not by or by == id or starts.halting(h) == 0 or call('HEXISTS', K.claimed, by) == 0 then return 0 end
  return math.max(LOOK_AGAIN_MS, tonumber(h.halt_at) - NOW)
end
