-- Leases pass only while the server is there to renew them: where nobody swept for a while, it was the server that was
-- away, or every worker; then leases are stretched for as long as the living need to come back and renew, before any is taken as passed.
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
