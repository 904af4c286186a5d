-- A lease should pass only if its worker could have renewed it. Where nobody swept for a while, the server was away, or
-- every worker was. Then leases are extended, so that live workers can come back and renew before any lease passes.
local lease = {}
local AWAY_MS, RENEWED_WITHIN_MS = 2000, 3000

function lease.stretch_when_away(length_ms)
  local swept_at = tonumber(call('HGET', K.state, 'swept_at') or 0)
  if NOW - swept_at <= AWAY_MS then return end
  local least = ms(NOW + math.max(RENEWED_WITHIN_MS, math.floor(length_ms / 2)))
  for _, set in ipairs({ K.claims, K.slots }) do
    for _, id in ipairs(call('ZRANGEBYSCORE', set, '-inf', least)) do call('ZADD', set, least, id) end
  end
end
