-- Applies flow control's decisions to claims (jobs/flow/controller.py decides, flow.lua stores).
local flow = {}
local USUAL_STALE_MS, PROBE_LOOK_MS = 60000, 100 -- the first is for a state that an older version stored
flow.PROBE_GAP_MS = 1000 -- no further probe starts until the result of the last one is known
local FIELDS = { 'paused', 'hold_until', 'list_size', 'list_search', 'limit', 'limit_at', 'limit_stale', 'interval', 'size',
  'explore', 'breaker', 'breaker_next', 'breaker_probe', 'urgent_out',
  'urgent_at', -- urgent calls granted and not settled, and when the last was granted
  'starts_until', 'starts_for', 'halt_at' } -- start_leases.lua

function flow.read()
  local h, values = {}, call('HMGET', K.state, unpack(FIELDS))
  for i, name in ipairs(FIELDS) do h[name] = values[i] end
  return h
end

-- Lowers the limits of a request to what the account allows now. An unknown or outdated limit starts at `initial`.
function flow.obey(ask, h)
  local known = h.limit and NOW - tonumber(h.limit_at) < tonumber(h.limit_stale or USUAL_STALE_MS)
  ask.limit = math.min(ask.limit, known and tonumber(h.limit) or ask.initial)
  local interval = tonumber(h.interval or 0)
  if interval > ask.interval_us then ask.interval_us, ask.burst = interval, 1 end
end

-- The number of urgent calls that are granted and not settled. A worker of an older version does not count down those
-- that it takes over, so the number counts for no longer than this after the last grant.
local URGENT_MS = 60000
function flow.urgent(h)
  return NOW - tonumber(h.urgent_at or 0) < URGENT_MS and tonumber(h.urgent_out or 0) or 0
end

-- The time (ms) until the open breaker lets a probe through; none starts while another is in flight.
function flow.probe_wait(h)
  if h.breaker_probe and call('ZSCORE', K.claims, h.breaker_probe) then return PROBE_LOOK_MS end
  return tonumber(h.breaker_next) - NOW
end

-- The batch size of the next call. Now and then flow control tries another size, which may be larger than the one in
-- force, but not larger than a call may name.
function flow.explored(h, ask, kind)
  if not h.explore or kind ~= 'calls' then return ask.size end
  call('HDEL', K.state, 'explore')
  return math.min(ask.per_call, tonumber(h.explore))
end
