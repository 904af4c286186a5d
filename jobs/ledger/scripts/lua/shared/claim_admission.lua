-- Whether a call may start now: the account's gate, a slot, and a token of the rate.
local HUNGRY_MS, AHEAD_US = 1000, 20000

-- Whether a slot can be had, how long until a rate token can (ms), and how many slots the caller should give back:
-- slots are shared evenly among the live drains as soon as one of them goes without; where the limit was lowered, every
-- slot that comes free is given back until there are no more than it allows. A token that will soon be there is given out ahead of its time, so that none is lost on the way
-- to whoever asks: the call waits for it (ask.at, microseconds).
local function admit(ask)
  lease.stretch_when_away(ask.lease)
  call('ZREMRANGEBYSCORE', K.slots, '-inf', ms(NOW))
  local h = call('HMGET', K.state, 'hungry', 'hungry_at', 'tat')
  local taken = call('ZCARD', K.slots)
  local slot = taken < ask.limit
  local contended = h[1] and h[1] ~= ask.drain and NOW - tonumber(h[2]) < HUNGRY_MS
  local share = math.max(1, math.floor(ask.limit / math.max(1, call('ZCOUNT', K.drains, ms(NOW), '+inf'))))
  local give = (contended and ask.slots > share) and 1 or 0
  if taken > ask.limit then give = ask.slots end
  if ask.mode == 'staged' or (contended and ask.slots >= share) then
    slot = false
  elseif not slot and ask.slots < share then
    call('HSET', K.state, 'hungry', ask.drain, 'hungry_at', ms(NOW))
  end
  if ask.interval_us > 0 and slot then
    local ahead = math.max(tonumber(h[3] or 0), NOW_US) - NOW_US - (ask.burst - 1) * ask.interval_us
    if ahead > AHEAD_US then return slot, math.ceil((ahead - AHEAD_US) / 1000), give end
    if ahead > 0 then ask.at = NOW_US + ahead end
  end
  return slot, 0, give
end

-- Why nothing may be claimed for now, as {ms, why}; nil where something may. While the breaker is open one claim at a
-- time is let through, once its time has come: a probe.
local function shut(ask, h)
  if h.paused then return { -1, 'paused' } end
  local hold = tonumber(h.hold_until or 0) - NOW
  if hold > 0 then return { hold, 'held' } end
  if not h.breaker then return nil end
  local wait_ms = flow.probe_wait(h)
  if wait_ms > 0 then return { wait_ms, 'breaker' } end
  ask.probe = true
  return nil
end
