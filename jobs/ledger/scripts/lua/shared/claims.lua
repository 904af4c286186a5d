-- Claiming: permission for a call and the references for it, in one step.
local claim = {}
local HUNGRY_MS, STAY_MS = 1000, 1000
local HOLD_STAY_MS = 10000
local MOST_PARTS, MOST_PASSED = 250, 100
local MOST_REFERENCES, MOST_PROMOTED = 2000, 500
local LIMIT_WAIT_MS, AHEAD_US = 50, 20000

local function gate() return call('HGET', K.state, 'gate') or '0' end

-- The answer for a claim: {'claim', gate, give, limit, urgent, slot, kind, score, now, probe, size, delay, claimed under,
-- job, piece, job, piece, ...}; `urgent` as flow.read has it.
function claim.answer(ask, packed, give)
  local c, now = cmsgpack.unpack(packed), gate()
  local delay = math.max(0, math.floor(((c.at or 0) - NOW_US) / 1000))
  local out = { 'claim', now, give, ask.limit, ask.urgent, call('ZSCORE', K.slots, ask.claim) and 1 or 0,
    c.kind, c.score, ms(NOW), c.probe and 1 or 0, c.size or 0, delay, c.gate or now }
  for _, v in ipairs(c.parts) do out[#out + 1] = v end
  return out
end

-- {'wait', gate, give, limit, urgent, ms, why}: nothing now; `ms` -1 where nothing is in sight.
function claim.wait(ask, wait_ms, why, give)
  return { 'wait', gate(), give, ask.limit, ask.urgent, ms(wait_ms), why }
end

-- How long until the next slot may be free by itself: its lease passes.
local function slot_wait()
  local first = call('ZRANGE', K.slots, 0, 0, 'WITHSCORES')[2]
  return first and math.max(1, math.min(LIMIT_WAIT_MS, tonumber(first) - NOW)) or 1
end

-- Takes up to `want` references of the given kind in the order of the policy.
local function take(kind, want)
  local parts, count, score, passed = {}, 0, nil, 0
  while count < want and #parts < 2 * MOST_PARTS and passed < MOST_PASSED do
    local head = call('ZRANGE', K[kind], 0, 0, 'WITHSCORES')
    if not head[1] then break end
    local id = string.sub(head[1], 15)
    local jk = K.job(id)
    if kind == 'calls' and job.ending(id) then
      order.leave(id, kind)
      call('ZADD', K.slices, ms(NOW), id)
      passed = passed + 1
    else
      local list = order.list(kind, id)
      local p = piece.decode(call('LPOP', list))
      if p.c > want - count then
        local rest
        p, rest = piece.split(p, want - count)
        call('LPUSH', list, piece.encode(rest))
      end
      order.leave(id, kind)
      call('HINCRBY', jk, kind, -p.c)
      order.enter(id, kind)
      call('HINCRBY', jk, 'claimed', p.c)
      if call('HGET', jk, 'state') == 'queued' then
        call('HSET', jk, 'state', 'running', 'started_at', ms(NOW))
      end
      parts[#parts + 1] = id
      parts[#parts + 1] = piece.encode(p)
      count = count + p.c
      score = score or head[2]
    end
  end
  return parts, count, score
end

-- Takes the group that is next; what of it may not go on now waits for its job.
local function take_group()
  local parts, count = {}, 0
  while count == 0 do
    local head = call('ZRANGE', K.alone, 0, 0, 'WITHSCORES')
    local g = head[1]
    if not g then return parts, 0, nil end
    local rest = {}
    for id, field in string.gmatch(call('HGET', K.groups, g) or '', '(%S-)/(%S+)') do
      if call('HEXISTS', K.job_alone(id), field) == 1 then
        if job.ending(id) then
          call('ZADD', K.slices, ms(NOW), id)
          rest[#rest + 1] = id .. '/' .. field
        elseif order.runnable(call('HGET', K.job(id), 'state'), 'calls') then
          local p = group.take(id, field)
          call('HINCRBY', K.job(id), 'claimed', p.c)
          parts[#parts + 1] = id
          parts[#parts + 1] = piece.encode(p)
          count = count + p.c
        else
          rest[#rest + 1] = id .. '/' .. field
        end
      end
    end
    call('ZREM', K.alone, g)
    if #rest > 0 then call('HSET', K.groups, g, table.concat(rest, ' ')) else call('HDEL', K.groups, g) end
    if count > 0 then return parts, count, head[2] end
  end
end

-- Whether a group goes before whatever else is ready.
local function group_first(ready)
  local g = call('ZRANGE', K.alone, 0, 0, 'WITHSCORES')
  if not g[1] then return false end
  if ready == 0 then return true end
  local head = call('ZRANGE', K.calls, 0, 0, 'WITHSCORES')
  return not head[1] or tonumber(g[2]) <= tonumber(head[2])
end

-- Which kind of work is next, or how long to wait: the higher class first; within one reads take at most half the limit
-- while calls wait. Urgent reads before calls go to whoever has a slot first, and are staged nowhere; but while a
-- job has more of them than there are slots, each lane has one staged, so that none waits for the ledger between two.
local function choose(ask, slot)
  local h = call('HMGET', K.state, 'reads_out', 'calls_ready', 'part_since', 'last_kind')
  local reads = call('ZCARD', K.reads) > 0
  local ready, wait_ms = tonumber(h[2] or 0), -1
  if ready > 0 and ready < ask.size and ask.linger > 0 then
    if not h[3] then
      call('HSET', K.state, 'part_since', ms(NOW))
      wait_ms = ask.linger
    else
      wait_ms = tonumber(h[3]) + ask.linger - NOW
    end
    if wait_ms > 0 then ready = 0 end
  elseif h[3] then
    call('HDEL', K.state, 'part_since')
  end
  local alone = group_first(ready) and not (ask.probe and ready > 0) -- a culprit may be why the breaker is open
  local calls = ready > 0 or alone
  if ask.probe and calls then reads = false end -- a read that goes well says little of calls
  if reads and calls and not ask.probe then
    local read, called = order.class_of(K.reads), order.class_of(alone and K.alone or K.calls)
    if read < called then
      if slot or read > 0 or order.ready_first('reads') > ask.limit then return 'reads', 0 end
      return nil, slot_wait(), 'limit'
    end
    reads = read == called
  end
  local most = math.max(1, math.floor(ask.limit / 2))
  if ask.limit == 1 and h[4] == 'reads' then most = 0 end
  if reads and (not calls or tonumber(h[1] or 0) < most) then return 'reads', 0 end
  if alone then return 'alone', 0 end
  if ready > 0 then return 'calls', 0 end
  return nil, wait_ms
end

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

local function grant(ask, kind, parts, score)
  local until_ms = ms(NOW + ask.lease)
  local urgent = kind ~= 'reads' and tonumber(score) < order.CLASS or nil
  local rated = ask.slot and ask.interval_us > 0
  local tat = rated and math.max(tonumber(call('HGET', K.state, 'tat') or 0), NOW_US) + ask.interval_us or nil
  local packed = cmsgpack.pack({ v = FORMAT, kind = kind, score = score, parts = parts, probe = ask.probe, size = ask.size,
    at = ask.at, gate = gate(), urgent = urgent })
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

-- How long until something may be claimable: the next piece that is due, or -1.
local function next_due(wait_ms)
  local due = call('ZRANGE', K.later, 0, 0, 'WITHSCORES')[2]
  if not due then return wait_ms end
  local in_ms = math.max(1, tonumber(due) - NOW)
  return wait_ms < 0 and in_ms or math.min(wait_ms, in_ms)
end

-- Nothing to take. In mode 'leave' the drain leaves the list of live drains here, in the step that found nothing,
-- unless something is due so soon that staying is cheaper: then a submit that finds no live drain starts one.
local function leave_or_wait(ask, wait_ms, why, give)
  if ask.mode == 'leave' and (wait_ms < 0 or wait_ms > STAY_MS) then
    call('ZREM', K.drains, ask.drain)
    why = 'left'
  end
  return claim.wait(ask, wait_ms, why, give)
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

-- Begins the leases of a claim that is asked for again anew: its worker counts them from this request on, since it has
-- no answer to an earlier one.
local function again(ask)
  for _, set in ipairs({ K.claims, K.slots }) do call('ZADD', set, 'XX', ms(NOW + ask.lease), ask.claim) end
end

-- ask: claim id, drain id and for how long it counts as live, mode (see claim.lua), slots that the
-- caller holds, limit, initial, interval_us between calls (0: no rate), burst, per_call, search (shared/lists.lua), linger, lease (ms each).
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
    return claim.answer(ask, packed, 0)
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
  local parts, count, score, longer = {}, 0, nil, nil
  if kind == 'alone' then
    parts, count, score = take_group()
  elseif kind then
    local want = kind == 'reads' and 1 or flow.explored(h, ask, kind)
    if known and kind == 'calls' and want == known.size and not ask.probe then
      longer = lists.longer(known, ask, most)
    end
    parts, count, score = take(kind, longer or want)
  end
  if count == 0 then return leave_or_wait(ask, next_due(wait_ms), 'empty', give) end
  if kind == 'calls' then call('HDEL', K.state, 'part_since') end
  if longer and count > known.size then lists.try(known, ask.claim) end
  ask.slot = slot
  return claim.answer(ask, grant(ask, kind, parts, score), give)
end

-- Takes the claim off the books; its pieces are the caller's to place. Answers the list {job, piece, ...}, the kind and
-- whether it was a probe, or nil.
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
