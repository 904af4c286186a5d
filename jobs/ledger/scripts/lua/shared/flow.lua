-- What flow control has decided for the account (jobs/flow/controller.py, moved by flow.lua), as claims obey it.
local flow = {}
local USUAL_STALE_MS, PROBE_LOOK_MS = 60000, 100 -- the former where a version before this has moved it
flow.PROBE_GAP_MS = 1000 -- until what a probe has shown is known, no other follows
local FIELDS = { 'paused', 'hold_until', 'list_size', 'list_search', 'limit', 'limit_at', 'limit_stale', 'interval', 'size',
  'explore', 'breaker', 'breaker_next', 'breaker_probe', 'urgent_out',
  'urgent_at' } -- urgent calls granted and not settled, and when the last was granted

function flow.read()
  local h, values = {}, call('HMGET', K.state, unpack(FIELDS))
  for i, name in ipairs(FIELDS) do h[name] = values[i] end
  return h
end

-- Lowers what is asked for to what the account allows now. A limit that is unknown or old begins at `initial`.
function flow.obey(ask, h)
  local known = h.limit and NOW - tonumber(h.limit_at) < tonumber(h.limit_stale or USUAL_STALE_MS)
  ask.limit = math.min(ask.limit, known and tonumber(h.limit) or ask.initial)
  local interval = tonumber(h.interval or 0)
  if interval > ask.interval_us then ask.interval_us, ask.burst = interval, 1 end
end

-- Urgent calls that are granted and not settled. What a worker of a version before this has taken over is never counted
-- off, and is told no longer than this after the last grant.
local URGENT_MS = 60000
function flow.urgent(h)
  return NOW - tonumber(h.urgent_at or 0) < URGENT_MS and tonumber(h.urgent_out or 0) or 0
end

-- How long until the open breaker lets a probe through (ms); not while another is on its way.
function flow.probe_wait(h)
  if h.breaker_probe and call('ZSCORE', K.claims, h.breaker_probe) then return PROBE_LOOK_MS end
  return tonumber(h.breaker_next) - NOW
end

-- The references of the next call: once in a while flow control tries another size, which may be longer than the one
-- in force, but never than what a call may name.
function flow.explored(h, ask, kind)
  if not h.explore or kind ~= 'calls' then return ask.size end
  call('HDEL', K.state, 'explore')
  return math.min(ask.per_call, tonumber(h.explore))
end
