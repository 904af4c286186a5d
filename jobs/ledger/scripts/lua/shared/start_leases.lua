-- Start leases: for a moment a worker may start calls of jobs with a failure stop without asking for the gate first. Such
-- a job halts only once every lease has ended, so that none of its calls starts after the halt.
--   A settlement that would halt a job is put off until the last lease ends, and is sent again then. It first raises the
--   gate's version, so that workers that hear of it start nothing more, and nothing is claimed until it has come. Where
--   it does not come, its worker is gone. For a while no lease is given, so that the settlement finds none.
-- Fields of the account's state:
--   starts_until   when the last lease ends, ms
--   halt_at        the same, as it was when a settlement was last put off; gone once a job has halted
local starts = {}
local NO_LEASE_MS, COMES_WITHIN_MS = 2000, 100

-- The time (ms) until a halt that was put off must have come; 0 where none is awaited.
function starts.halting(halt_at) return math.max(0, tonumber(halt_at or 0) + COMES_WITHIN_MS - NOW) end

-- Gives a lease of so many ms, where it is asked for and no halt is awaited; answers whether it did.
function starts.lease(length_ms, h)
  if not length_ms or NOW < tonumber(h.halt_at or 0) + NO_LEASE_MS then return false end
  if NOW + length_ms > tonumber(h.starts_until or 0) then call('HSET', K.state, 'starts_until', ms(NOW + length_ms)) end
  return true
end

-- Ends the giving of leases, so that a job can halt; answers the time (ms) until the last one has ended.
function starts.revoke()
  local h = call('HMGET', K.state, 'starts_until', 'halt_at')
  local left = tonumber(h[1] or 0) - NOW
  if left <= 0 then return 0 end
  if h[1] ~= h[2] then
    call('HSET', K.state, 'halt_at', h[1])
    call('HINCRBY', K.state, 'gate', 1)
    call('PUBLISH', WAKE, ACCOUNT .. ' gate')
  end
  return left
end
