-- Start leases: for a moment a worker may start calls of jobs with a failure stop without asking for the gate first. Such
-- a job halts only once every lease has ended, so that none of its calls starts after the halt.
--   A settlement that would halt a job is put off until the last lease ends, and is sent again then. It first raises the
--   gate's version, so that workers that hear of it start nothing more, and nothing is claimed until it has come. Where
--   it does not come, its worker is gone. For a while no lease is given, so that the settlement finds none. Those that
--   come after it are put off too.
-- Fields of the account's state:
--   starts_until   when the last lease ends, ms
--   halt_at        the same, as it was when a settlement was last put off; gone once a job has halted
--   halt_by        the claim of that settlement
local starts = {}
local NO_LEASE_MS, COMES_WITHIN_MS, LOOK_AGAIN_MS = 2000, 100, 5

-- The time (ms) until a halt that was put off must have come; 0 where none is awaited.
function starts.halting(halt_at) return math.max(0, tonumber(halt_at or 0) + COMES_WITHIN_MS - NOW) end

-- Gives a lease of so many ms, where it is asked for and no halt is awaited; answers whether it did.
function starts.lease(length_ms, h)
  if not length_ms or NOW < tonumber(h.halt_at or 0) + NO_LEASE_MS then return false end
  if NOW + length_ms > tonumber(h.starts_until or 0) then call('HSET', K.state, 'starts_until', ms(NOW + length_ms)) end
  return true
end

-- Ends the giving of leases, so that a job can halt; answers the time (ms) until the last one has ended. `by` is the claim
-- whose settlement halts it, nil where none does.
function starts.revoke(by)
  local h = call('HMGET', K.state, 'starts_until', 'halt_at', 'halt_by')
  local left = tonumber(h[1] or 0) - NOW
  if left <= 0 then return 0 end
  if by and not (h[3] and h[1] == h[2]) then call('HSET', K.state, 'halt_by', by) end
  if h[1] ~= h[2] then
    call('HSET', K.state, 'halt_at', h[1])
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
  local h = call('HMGET', K.state, 'halt_at', 'halt_by')
  if not h[2] or h[2] == id or starts.halting(h[1]) == 0 or call('HEXISTS', K.claimed, h[2]) == 0 then return 0 end
  return math.max(LOOK_AGAIN_MS, tonumber(h[1]) - NOW)
end
