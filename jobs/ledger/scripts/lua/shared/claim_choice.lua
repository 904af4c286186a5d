-- Chooses the next work, and takes its references from the queues.
local MOST_PARTS, MOST_PASSED, MOST_LEFT = 250, 100, 1000
local LIMIT_WAIT_MS = 50

-- The time until a slot may become free because its lease passes.
local function slot_wait()
  local first = call('ZRANGE', K.slots, 0, 0, 'WITHSCORES')[2]
  return first and math.max(1, math.min(LIMIT_WAIT_MS, tonumber(first) - NOW)) or 1
end

-- Notes in `found` what the job of a part asks of its call: whether it has a failure stop (`guarded`), and how many
-- records are to be kept before it (`records`), for which jobs (`kept`).
local function note_asked(found, id, kind, count)
  local h = call('HMGET', K.job(id), 'stop', 'snapshot')
  if h[1] then found.guarded = 1 end
  if h[2] and kind ~= 'reads' then
    found.records = (found.records or 0) + count
    found.kept = (found.kept and found.kept .. ' ' or '') .. id
  end
end

-- Takes up to `want` references of the given kind, in the order of the queue, for calls to this host. Jobs that want records
-- stay in the queue, for another worker, where this one is `bare`: it can keep none. Answers the parts, their references,
-- their score, and what their jobs ask of the call (note_asked; `left`: how many jobs stayed).
local function take(kind, want, called, bare)
  local parts, count, score, passed, asked = {}, 0, nil, 0, { left = 0 }
  while count < want and #parts < 2 * MOST_PARTS and passed < MOST_PASSED and asked.left < MOST_LEFT do
    local head = call('ZRANGE', K[kind], asked.left, asked.left, 'WITHSCORES')
    if not head[1] then break end
    local id = string.sub(head[1], 15)
    local jk = K.job(id)
    local state = call('HGET', jk, 'state')
    if kind == 'calls' and job.ending(id) then
      order.leave(id, kind)
      call('ZADD', K.slices, ms(NOW), id)
      passed = passed + 1
    elseif stop.elsewhere(id, state, called) then
      passed = passed + 1
    elseif bare and kind == 'calls' and safeguards.are_kept(id, state) then
      asked.left = asked.left + 1
    elseif state == 'queued' and approval.stops(id) then
      passed = passed + 1
    else
      if state == 'queued' then
        stop.join(id)
        safeguards.keep_records(id)
        canary.begin(id)
        call('HSET', jk, 'state', 'running', 'started_at', ms(NOW))
      end
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
      note_asked(asked, id, kind, p.c)
      parts[#parts + 1] = id
      parts[#parts + 1] = piece.encode(p)
      count = count + p.c
      score = score or head[2]
    end
  end
  return parts, count, score, asked
end

-- Whether calls of a job may start, and may go to this host.
local function runs_at(id, called)
  local state = call('HGET', K.job(id), 'state')
  return order.runnable(state, 'calls') and not stop.elsewhere(id, state, called)
end

-- Whether a job of a group wants records.
local function group_is_kept(g)
  for id in string.gmatch(call('HGET', K.groups, g) or '', '(%S-)/%S+') do
    if safeguards.are_kept(id) then return true end
  end
  return false
end

-- Takes the next group. Its pieces whose job may not run now stay, and wait for their job. A worker that is `bare` leaves
-- groups with a job that wants records.
local function take_group(called, bare)
  local parts, count, asked = {}, 0, { left = 0 }
  while count == 0 do
    local head = call('ZRANGE', K.alone, asked.left, asked.left, 'WITHSCORES')
    local g = head[1]
    if not g or asked.left >= MOST_LEFT then return parts, 0, nil, asked end
    local rest, stays = {}, bare and group_is_kept(g)
    if stays then asked.left = asked.left + 1 end
    for id, field in string.gmatch(not stays and call('HGET', K.groups, g) or '', '(%S-)/(%S+)') do
      if call('HEXISTS', K.job_alone(id), field) == 1 then
        if job.ending(id) then
          call('ZADD', K.slices, ms(NOW), id)
          rest[#rest + 1] = id .. '/' .. field
        elseif runs_at(id, called) then
          local p = group.take(id, field)
          call('HINCRBY', K.job(id), 'claimed', p.c)
          note_asked(asked, id, 'alone', p.c)
          parts[#parts + 1] = id
          parts[#parts + 1] = piece.encode(p)
          count = count + p.c
        else
          rest[#rest + 1] = id .. '/' .. field
        end
      end
    end
    if not stays then
      call('ZREM', K.alone, g)
      if #rest > 0 then call('HSET', K.groups, g, table.concat(rest, ' ')) else call('HDEL', K.groups, g) end
    end
    if count > 0 then return parts, count, head[2], asked end
  end
end

-- Whether a group goes before other ready references.
local function group_first(ready)
  local g = call('ZRANGE', K.alone, 0, 0, 'WITHSCORES')
  if not g[1] then return false end
  if ready == 0 then return true end
  local head = call('ZRANGE', K.calls, 0, 0, 'WITHSCORES')
  return not head[1] or tonumber(g[2]) <= tonumber(head[2])
end

-- The next kind of work, or the time to wait. The higher class goes first. Within a class reads take at most half of
-- the limit while calls wait. An urgent read goes to the first caller with a slot and is not staged; but while a job
-- has more urgent reads than there are slots, each lane stages one, so that no lane waits for the ledger between two
-- reads. Reads of a job with a failure stop go before all calls of their class: what they find may halt it.
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
  local alone = group_first(ready) and not (ask.probe and ready > 0) -- the group may be why the breaker is open
  local calls = ready > 0 or alone
  if ask.probe and calls then reads = false end -- a successful read does not show that calls work
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
  if reads and calls and order.first_is_guarded('reads') then most = ask.limit end
  if reads and (not calls or tonumber(h[1] or 0) < most) then return 'reads', 0 end
  if alone then return 'alone', 0 end
  if ready > 0 then return 'calls', 0 end
  return nil, wait_ms
end
