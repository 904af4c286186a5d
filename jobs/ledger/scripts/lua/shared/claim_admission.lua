-- Decides whether a call may start now: by the account's gate, a free slot, and a token of the rate limit.
local HUNGRY_MS, AHEAD_US = 1000, 20000

-- Answers whether a slot is granted, the wait for a rate token (ms), and how many slots the caller should give back.
-- Slots are shared evenly among the live drains as soon as one of them has too few. If the limit was lowered, slots are
-- given back as they become free until no more are taken than it allows. A token that is due within AHEAD_US is granted
-- ahead of time, so that none is lost during the round trip; the call waits for it (ask.at, microseconds).
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

-- Why nothing may be claimed now, as {ms, why}; nil where a claim may go on. An open breaker lets one claim at a time
-- through once its time has come: a probe.
local function shut(ask, h)
  if stop_all.stands() then return { -1, 'stopped' } end
  if hosts.strange(ask.host) then return { -1, 'host' } end
  if h.paused then return { -1, 'paused' } end
  local hold = tonumber(h.hold_until or 0) - NOW
  if hold > 0 then return { hold, 'held' } end
  local halting = starts.halting(starts.mend(h))
  if halting > 0 then return { halting, 'halting' } end
  if not h.breaker then return nil end
  local wait_ms = flow.probe_wait(h)
  if wait_ms > 0 then return { wait_ms, 'breaker' } end
  ask.probe = true
  return nil
end
