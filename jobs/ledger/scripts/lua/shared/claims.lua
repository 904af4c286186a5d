-- Claims: the permission for a call and its references, in one step.
local claim = {}
local STAY_MS, HOLD_STAY_MS = 1000, 10000
local MOST_REFERENCES, MOST_PROMOTED = 2000, 500

local function gate() return call('HGET', K.state, 'gate') or '0' end

-- The answer for a claim: {'claim', gate, give, limit, urgent, slot, kind, score, now, probe, size, delay, claimed
-- under, guarded, kept, apart, job, piece, job, piece, ...}; claim.lua has the meanings.
function claim.answer(ask, packed, give, h)
  local c, now = cmsgpack.unpack(packed), gate()
  local guarded = c.guarded and (starts.lease(ask.start, h) and 2 or 1) or 0
  local delay = math.max(0, math.floor(((c.at or 0) - NOW_US) / 1000))
  local out = { 'claim', now, give, ask.limit, ask.urgent, call('ZSCORE', K.slots, ask.claim) and 1 or 0,
    c.kind, c.score, ms(NOW), c.probe and 1 or 0, c.size or 0, delay, c.gate or now, guarded,
    c.kept or '', c.apart or 0 }
  for _, v in ipairs(c.parts) do out[#out + 1] = v end
  return out
end

-- {'wait', gate, give, limit, urgent, ms, why}: no claim now; `ms` is -1 where nothing is due.
function claim.wait(ask, wait_ms, why, give)
  return { 'wait', gate(), give, ask.limit, ask.urgent, ms(wait_ms), why }
end

-- Each record that is to be kept before the call is a request of its own, and takes a token of the rate of its own: the
-- worker makes them `apart` microseconds from each other.
local function grant(ask, kind, parts, score, asked)
  local until_ms = ms(NOW + ask.lease)
  local urgent = kind ~= 'reads' and tonumber(score) < order.CLASS or nil
  local rated = ask.slot and ask.interval_us > 0
  local apart = math.ceil(ask.interval_us / (ask.requests or 1))
  local tat = rated and math.max(tonumber(call('HGET', K.state, 'tat') or 0), NOW_US) + ask.interval_us
    + (asked.records or 0) * apart or nil
  local packed = cmsgpack.pack({ v = FORMAT, kind = kind, score = score, parts = parts, probe = ask.probe, size = ask.size,
    at = ask.at, gate = gate(), urgent = urgent, guarded = asked.guarded, kept = asked.kept,
    apart = asked.kept and apart or nil })
  if urgent then
    call('HINCRBY', K.state, 'urgent_out', 1)
    call('HSET', K.state, 'urgent_at', ms(NOW))
  end
  call('HSET', K.claimed, ask.claim, packed)
  if ask.probe then call('HSET', K.state, 'breaker_probe', ask.claim, 'breaker_next', ms(NOW + flow.PROBE_GAP_MS)) end
  call('ZADD', K.claims, until_ms, ask.claim)
  if kind == 'reads' then call('HINCRBY', K.state, 'reads_out', 1) end
  if ask.limit == 1 then call('HSET', K.state, 'last_kind', kind) end
  if ask.slot then call('ZADD', K.slots, until_ms, ask.claim) end
  if tat then call('HSET', K.state, 'tat', ms(tat)) end
  return packed
end

-- The time until something may be claimable: when the next piece is due, or -1.
local function next_due(wait_ms)
  local due = call('ZRANGE', K.later, 0, 0, 'WITHSCORES')[2]
  if not due then return wait_ms end
  local in_ms = math.max(1, tonumber(due) - NOW)
  return wait_ms < 0 and in_ms or math.min(wait_ms, in_ms)
end

-- Answers that there is nothing to claim. In mode 'leave' the drain leaves the list of live drains in the same step,
-- unless something is due so soon that staying is cheaper. So a submission that finds no live drain surely starts one.
local function leave_or_wait(ask, wait_ms, why, give)
  if ask.mode == 'leave' and (wait_ms < 0 or wait_ms > STAY_MS) then
    call('ZREM', K.drains, ask.drain)
    why = 'left'
  end
  return claim.wait(ask, wait_ms, why, give)
end

-- Restarts the leases of a claim that is asked for again. Its worker counts them from this request, since it got no
-- answer to an earlier one.
local function again(ask)
  for _, set in ipairs({ K.claims, K.slots }) do call('ZADD', set, 'XX', ms(NOW + ask.lease), ask.claim) end
end

-- Takes work of another kind, where all of the chosen kind stays for a worker that can keep records.
local function take_another(ask, chosen, slot)
  for _, kind in ipairs({ 'alone', 'calls', 'reads' }) do
    if kind ~= chosen and (kind ~= 'reads' or slot) then
      local parts, count, score, asked
      if kind == 'alone' then
        parts, count, score, asked = take_group(ask.called, ask.bare)
      else
        parts, count, score, asked = take(kind, kind == 'reads' and 1 or ask.size, ask.called, ask.bare)
      end
      if count > 0 then return kind, parts, count, score, asked end
    end
  end
  return chosen, {}, 0, nil, {}
end

-- ask: the fields of claim.lua.
-- spent: references that this script has touched already.
function claim.try(ask, spent)
  call('ZADD', K.drains, ms(NOW + ask.live), ask.drain)
  local h = flow.read()
  flow.obey(ask, h)
  ask.urgent = flow.urgent(h)
  local packed = call('HGET', K.claimed, ask.claim)
  if packed then
    again(ask)
    if cmsgpack.unpack(packed).urgent then ask.urgent = math.max(0, ask.urgent - 1) end
    return claim.answer(ask, packed, 0, h)
  end
  if call('EXISTS', K.done(ask.claim)) == 1 then return claim.wait(ask, 0, 'done', 0) end
  job.promote(math.min(MOST_PROMOTED, MOST_REFERENCES - spent - ask.per_call))
  local most, known = ask.per_call, lists.known(h.list_size, h.list_search)
  if known and known.size >= most and not known.refused then
    lists.forget()
    known = nil
  end
  if known then ask.per_call = math.min(most, known.size) end
  ask.size = h.size and math.min(ask.per_call, tonumber(h.size)) or ask.per_call
  local why = shut(ask, h)
  if why then
    if why[1] < 0 or why[1] > HOLD_STAY_MS then return leave_or_wait(ask, why[1], why[2], 0) end
    return claim.wait(ask, why[1], why[2], 0)
  end
  local slot, rate_wait, give = admit(ask)
  if not slot and (ask.mode == 'slot' or ask.mode == 'leave' or ask.interval_us > 0 or ask.probe) then
    return claim.wait(ask, slot_wait(), 'limit', give)
  end
  local kind, wait_ms, none = choose(ask, slot)
  if none then return claim.wait(ask, wait_ms, none, give) end
  if kind and rate_wait > 0 then return claim.wait(ask, rate_wait, 'rate', give) end
  local parts, count, score, asked, longer = {}, 0, nil, {}, nil
  if kind == 'alone' then
    parts, count, score, asked = take_group(ask.called, ask.bare)
  elseif kind then
    local want = kind == 'reads' and 1 or flow.explored(h, ask, kind)
    if known and kind == 'calls' and want == known.size and not ask.probe then
      longer = lists.longer(known, ask, most)
    end
    parts, count, score, asked = take(kind, longer or want, ask.called, ask.bare)
  end
  if count == 0 and (asked.left or 0) > 0 then
    longer, wait_ms = nil, -1
    kind, parts, count, score, asked = take_another(ask, kind, slot)
  end
  if count == 0 then return leave_or_wait(ask, next_due(wait_ms), 'empty', give) end
  if kind == 'calls' then call('HDEL', K.state, 'part_since') end
  if longer and count > known.size then lists.try(known, ask.claim) end
  ask.slot = slot
  return claim.answer(ask, grant(ask, kind, parts, score, asked), give, h)
end

-- Removes the claim's record. The caller must place its pieces. Answers the list {job, piece, ...}, the kind, and
-- whether it was a probe; nil where the claim has no record.
function claim.close(id)
  local packed = call('HGET', K.claimed, id)
  if not packed then return nil end
  call('HDEL', K.claimed, id)
  call('ZREM', K.claims, id)
  local c = cmsgpack.unpack(packed)
  if c.kind == 'reads' then call('HINCRBY', K.state, 'reads_out', -1) end
  if c.urgent and (call('HINCRBY', K.state, 'urgent_out', -1) < 0 or call('ZCARD', K.claims) == 0) then
    call('HDEL', K.state, 'urgent_out')
  end
  return c.parts, c.kind, c.probe
end
