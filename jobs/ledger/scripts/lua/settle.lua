-- Settles a claim as a whole, and grants the next one in the same step.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account
--       3 JSON, times in ms, `?` where it may be missing:
--         claim, remember  the claim, and how long its settling is remembered
--         give [slot]      slots to give back
--         rest {slot: ms}  slots that stay taken for a while without renewal
--         hold, hold_why?  how long to hold the account, and why
--         search           see shared/batch_limit.lua
--         listed?          [references of a batch, 1 where it was taken, 0 where it was refused for its length]
--         learnt?          [fingerprint of a refusal text, class of state that a read found behind it]
--         trouble?         [field, value, ...] of a call to remember
--         slow             the pause before retries once the retry budget is spent, 0 where retries cost nothing
--         well?            1 where the platform answered for the references
--         parts            for each part of the claim, in its order, groups that divide its references. A group has
--                          refs ('*' for all, or newline-separated), count, and either a result:
--           outcome, attempts, status?, message?, state?
--                          or a place in the queue:
--           back           'calls' | 'alone' | 'reads'
--           group?         groups with the same number are called together
--           delay          ms until it is ready
--           a, n, r?, s?, w?   see shared/pieces.lua
--           unclear        ms for which the call may still act
--           clear          1 where a read showed that no call has acted; status and state are what it found
--           after?         failures, with successes of others in between, after which the group burns attempts
--           lone?          1 where the call named one reference only
--           d?             1 where they were deallocated
--           e?             2 where the platform confirmed them, and a read is to show it
--       4 JSON of the next claim (claim.lua), or ''
-- Answer  {'settled' | 'lost', next...}: `next` is the answer of claim.lua, empty where ARGV 4 is; or {'wait', ms}:
--         it would halt a job, or comes after one that would, and nothing is settled until no call of that job can
--         start (shared/start_leases.lua): send it again then
-- Keeps  each reference of the claim gets exactly one result or is queued again; a claim that was taken over settles
--        nothing; a repeated settle gets the first answer and its next claim.
local TROUBLE_KEPT = 1000
local doc = cjson.decode(ARGV[3])
-- Whether the groups of a part divide its references: each is in one group, and no group has any other.
local function covers(groups, p)
  local first = groups and groups[1]
  if first and first.refs == '*' then return #groups == 1 and first.count == p.c end
  local own, left = {}, p.c
  for ref in string.gmatch(p.refs, '[^\n]+') do own[ref] = true end
  for _, g in ipairs(groups or {}) do
    local count = 0
    for ref in string.gmatch(g.refs, '[^\n]+') do
      if not own[ref] then return false end
      own[ref] = nil
      count = count + 1
    end
    if count ~= g.count then return false end
    left = left - count
  end
  return left == 0
end

local packed = call('HGET', K.claimed, doc.claim)
local book = packed and cmsgpack.unpack(packed) or {}
local held = book.parts or {}
local spent = 0
if packed then
  local whole = #doc.parts == #held / 2
  for i = 1, #held, 2 do
    local p = piece.decode(held[i + 1])
    spent = spent + p.c
    whole = whole and covers(doc.parts[(i + 1) / 2], p)
  end
  if not whole then return redis.error_reply('UNCOVERED the groups do not share out the references of the claim') end
  local put_off = book.guarded and stop.put_off(doc.claim, held, doc.parts) or 0
  if put_off > 0 then return { 'wait', put_off } end
end

-- Results stay where the script fails after them, and the next try would write them again. So the keys of the jobs are
-- looked at before.
local seen = {}
for i = 1, #held, 2 do
  local id, part = held[i], doc.parts[(i + 1) / 2]
  local goes_back = #part > 1 or not part[1].outcome
  if not seen[id] then kinds.counted(id) end
  if goes_back and seen[id] ~= 'all' then kinds.job(id) end
  seen[id] = goes_back and 'all' or seen[id] or 'counted'
end
local settled_before = string.match(call('GET', K.done(doc.claim)) or '', '^%S+ (%S+)') == 'settled'

for _, slot in ipairs(doc.give) do call('ZREM', K.slots, slot) end
for slot, rest in pairs(doc.rest) do
  if call('ZSCORE', K.slots, slot) then call('ZADD', K.slots, ms(NOW + rest), slot) end
end

local numbers = {}

-- Whether others succeeded since then: calls count for a call, and reads for a read. That reads work does not show that
-- calls work, nor the other way round.
local well
local function others_did_well(since)
  if not since then return false end
  well = well or tonumber(call('HGET', K.state, book.kind == 'reads' and 'read_well_at' or 'well_at') or 0)
  return well > since
end

-- Whether a failure counts once more against these references: others succeeded since the last time. After the first
-- such failure the next ones count too, unless other references fail as well: all others may be finished.
local refused
local function alone_again(since, before)
  if others_did_well(since) then return true end
  if before == 0 or not since then return false end
  refused = refused or tonumber(call('HGET', K.state, 'refused_at') or 0)
  return refused < since
end

-- Notes a call in the history of its references. Calls that burn no attempt at first are counted (o), and so are those
-- among them since which others succeeded (t). Once t has reached g.after, each call of one reference alone burns an
-- attempt.
local function called(p, q, g)
  q.l = NOW
  if not g.after then
    q.o, q.t, q.q = nil, nil, nil
    return
  end
  q.o, q.t = (p.o or 0) + 1, (p.t or 0) + (alone_again(p.q, p.t or 0) and 1 or 0)
  q.q = NOW
  if q.t == 0 then call('HSET', K.state, 'refused_at', ms(NOW)) end
  if g.lone == 1 and (p.t or 0) >= g.after and not book.probe then q.a = q.a + 1 end
end

-- The same for a read, which is always of one reference, and burns a try.
local function read(p, q, g)
  if not g.after then
    q.x, q.y = nil, nil
    return
  end
  q.x, q.y = (p.x or 0) + (alone_again(p.y, p.x or 0) and 1 or 0), NOW
  if q.x == 0 then call('HSET', K.state, 'refused_at', ms(NOW)) end
  if (p.x or 0) >= g.after and not book.probe then q.r = q.r + 1 end
end

local function back(id, p, g)
  local q = piece.with(p, g.refs == '*' and p.refs or g.refs, g.count)
  q.a, q.n, q.r, q.s, q.w = g.a, g.n, g.r, g.s, g.w
  -- A failed probe, or a failure because of the caller, goes to the rear: its references may be why.
  q.b = g.delay > 0 and (book.probe or g.after) and 1 or nil
  q.d, q.e = p.d or g.d, g.e or p.e
  if book.kind == 'reads' then
    read(p, q, g)
  elseif g.n > p.n then
    called(p, q, g)
  end
  if g.clear == 1 then q.m = 0 end
  if g.unclear > 0 then q.m = math.max(q.m, NOW + g.unclear) end
  local to = nil
  if g.back == 'alone' then
    numbers[g.group] = numbers[g.group] or group.new()
    to = numbers[g.group]
  end
  job.put_back(id, q, g.back, g.delay > 0 and NOW + g.delay or 0, false, to, g.status and g)
end

local function settle(parts)
  for i = 1, #parts, 2 do
    local id, p = parts[i], piece.decode(parts[i + 1])
    call('HINCRBY', K.job(id), 'claimed', -p.c)
    for _, g in ipairs(doc.parts[(i + 1) / 2]) do
      if g.outcome then
        result.write(id, g.refs == '*' and p.refs or g.refs, g.count, g, g.attempts)
      else
        back(id, p, g)
      end
    end
    result.sample(id)
    if not job.finish_when_done(id) then
      stop.check(id)
      canary.judge(id)
    end
  end
end

-- Notes what the call showed about the platform, once a call.
local function note()
  if doc.learnt then words.learn(doc.learnt[1], doc.learnt[2]) end
  if not doc.listed then
    lists.lapse(doc.claim, doc.search)
  elseif doc.listed[2] == 1 then
    lists.take(doc.listed[1], doc.claim)
  else
    lists.refuse(doc.listed[1], doc.claim, doc.search)
  end
end

-- Holds the account as the platform asked, even where the claim is no longer ours.
local function hold()
  if doc.hold <= 0 then return end
  local until_ms = math.max(tonumber(call('HGET', K.state, 'hold_until') or 0), NOW + doc.hold)
  call('HSET', K.state, 'hold_until', ms(until_ms), 'hold_why', doc.hold_why or '')
  call('HINCRBY', K.state, 'gate', 1)
end

local function slow_down()
  local retries, well = false, book.kind ~= 'reads'
  for _, groups in ipairs(doc.parts) do
    for _, g in ipairs(groups) do
      if g.back and not (g.back == 'reads' and g.s) or g.outcome == 'failed' then well = false end
      if g.back == 'calls' and g.delay > 0 then retries = true end
    end
  end
  if not retries then
    if well then budget.pay(false) end
    return
  end
  if doc.slow == 0 or budget.pay(true) then return end
  for _, groups in ipairs(doc.parts) do
    for _, g in ipairs(groups) do
      if g.back == 'calls' and g.delay > 0 then g.delay = math.max(g.delay, doc.slow) end
    end
  end
end

-- Whether the call of a job is urgent; also where the job was made urgent meanwhile. A call has many parts of one job.
local classes = {}
local function urgent_now(id)
  if book.urgent or book.kind == 'reads' then return book.urgent end
  classes[id] = classes[id] or call('HGET', K.job(id), 'class') or ''
  return classes[id] == '0'
end

-- Wakes every worker where an urgent call leaves references to be read or called at once: they go before staged claims.
local function announce()
  if order.class_of(K.calls) == 0 then return end
  for at, groups in ipairs(doc.parts) do
    for _, g in ipairs(groups) do
      if g.back and g.delay == 0 and urgent_now(held[2 * at - 1]) then
        return call('PUBLISH', WAKE, ACCOUNT .. ' first')
      end
    end
  end
end

local word = 'lost'
if settled_before then
  word = 'settled'
else
  if packed then
    if doc.trouble then call('XADD', K.trouble, 'MAXLEN', '~', TROUBLE_KEPT, '*', unpack(doc.trouble)) end
    note()
    hold()
    slow_down()
    settle(held)
    announce()
    if doc.well == 1 then call('HSET', K.state, book.kind == 'reads' and 'read_well_at' or 'well_at', ms(NOW)) end
    claim.close(doc.claim)
    call('SET', K.done(doc.claim), FORMAT .. ' settled', 'PX', doc.remember)
    word = 'settled'
  else
    hold()
  end
end
if ARGV[4] == '' then return { word } end
local answer = claim.try(cjson.decode(ARGV[4]), spent)
table.insert(answer, 1, word)
return answer
