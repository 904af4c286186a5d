-- The canary: a job begins with a few of its references, drawn from all over its input. Each of them is read back, also
-- where the platform confirms that it is cancelled. The rest waits until all of them have their results
-- (jobs/safety/canary.py has the rule in words). Fields of a job with a canary:
--   canary          how many references the job was handed in with, to be drawn
--   canary_all      "N ABOVE": the canary of all jobs with more references, by the settings of who handed it in
--   canary_size     how many were drawn
--   rest            the references that wait for the canary; they stay in the list `calls`, and what is
--                   ready of the canary is in the list `canary`
--   canary_passed   when the rest was let go on, ms
local canary = {}
local MOST = 1000

-- A number from 0 to below `limit`. It differs from job to job, and nobody can choose it.
local function draw(seed, limit)
  return math.floor(tonumber(string.sub(redis.sha1hex(seed), 1, 12), 16) / 2 ^ 48 * limit)
end

-- Where the references to be drawn are: {index of a piece = {place in the piece = true}}. The input is divided into as
-- many parts as there are references to be drawn, and each part gives one: so every file of the input has its share.
local function places(id, of, count, each, pieces)
  local found = {}
  for i = 0, count - 1 do
    local from, to = math.floor(i * of / count), math.floor((i + 1) * of / count)
    local at = from + draw(id .. ' ' .. i .. ' ' .. ms(NOW_US), to - from)
    local index = math.min(math.floor(at / each), pieces - 1)
    found[index] = found[index] or {}
    found[index][at - index * each] = true
  end
  return found
end

-- Takes the references at these places out of the job's pieces.
local function pluck(list, found)
  local drawn, emptied = {}, false
  for index, wanted in pairs(found) do
    local p, kept, at = piece.decode(call('LINDEX', list, index)), {}, 0
    for ref in string.gmatch(p.refs, '[^\n]+') do
      if wanted[at] then drawn[#drawn + 1] = ref else kept[#kept + 1] = ref end
      at = at + 1
    end
    emptied = emptied or #kept == 0
    call('LSET', list, index, #kept > 0 and piece.encode(piece.with(p, table.concat(kept, '\n'), #kept)) or '')
  end
  if emptied then call('LREM', list, 0, '') end
  table.sort(drawn)
  return drawn
end

-- The canary that who handed the job in asks of all jobs with so many references.
local function asked_of_all(packed, count)
  local size, above = string.match(packed or '', '^(%d+) (%d+)$')
  return size and count > tonumber(above) and tonumber(size) or 0
end

-- Draws the canary of a job that starts, and sets the rest aside. The largest canary counts: its own, that of the settings
-- with which it was handed in, or its account's.
function canary.begin(id)
  local jk, list = K.job(id), K.job_calls(id)
  local h = call('HMGET', jk, 'canary', 'calls', 'canary_size', 'canary_all')
  local of = tonumber(h[2] or 0)
  local asked = math.max(tonumber(h[1] or 0), asked_of_all(h[4], of), safeguards.canary(of))
  local wanted = math.min(asked, of, MOST)
  if h[3] or wanted < 1 then return end
  order.leave(id, 'calls')
  local each = piece.decode(call('LINDEX', list, 0)).c
  local drawn = pluck(list, places(id, of, wanted, each, call('LLEN', list)))
  local rest = of - #drawn
  if rest > 0 then
    call('HSET', jk, 'rest', rest)
    call('HINCRBY', jk, 'calls', -rest)
  end
  call('RPUSH', order.list('calls', id), piece.encode({ c = #drawn, a = 0, n = 0, m = 0, e = 1, refs = table.concat(drawn, '\n') }))
  call('HSET', jk, 'canary_size', #drawn)
  order.enter(id, 'calls')
end

-- Lets the rest of the job be called; what is left of the canary goes first.
function canary.release(id)
  local jk = K.job(id)
  local rest = call('HGET', jk, 'rest')
  if not rest then return end
  order.leave(id, 'calls')
  local ready = call('LRANGE', K.job_canary(id), 0, -1)
  for i = #ready, 1, -1 do call('LPUSH', K.job_calls(id), ready[i]) end
  call('UNLINK', K.job_canary(id))
  call('HDEL', jk, 'rest')
  call('HINCRBY', jk, 'calls', rest)
  order.enter(id, 'calls')
end

-- Whether references of the canary still have no result.
local function under_way(h)
  for i = 3, 7 do
    if tonumber(h[i] or 0) ~= 0 then return true end
  end
  return false
end

-- The first limit that the refusals of the canary pass, as `halted_why` has it. A number is of the whole job, so it
-- counts as that share of it. Without a limit there may be none.
local function too_many(limits, refused, size, total)
  local limited = false
  for limit in string.gmatch(limits, 'refused:(%S+)') do
    limited = true
    local percent = tonumber(string.match(limit, '^(.+)%%$'))
    if percent and refused * 100 > percent * size or not percent and refused * total > tonumber(limit) * size then
      return 'refused ' .. limit .. ' ' .. refused .. ' ' .. size .. ' canary'
    end
  end
  return not limited and refused > 0 and 'refused 0 ' .. refused .. ' ' .. size .. ' canary' or nil
end

-- Judges the canary once all of it has results: lets the rest go on, or halts the job.
function canary.judge(id)
  local jk = K.job(id)
  if call('HEXISTS', jk, 'rest') == 0 then return end
  local h = call('HMGET', jk, 'state', 'canary_size', 'calls', 'reads', 'later', 'claimed', 'alone', 'stop', 'total',
    'outcome:cancelled', 'outcome:manifested', 'outcome:not_found', 'outcome:rejected', 'outcome:unconfirmed',
    'outcome:failed')
  if under_way(h) or (h[1] ~= 'running' and h[1] ~= 'queued' and h[1] ~= 'paused') then return end
  local size, refused = tonumber(h[2]), 0
  for i = 11, 13 do refused = refused + tonumber(h[i] or 0) end
  local unconfirmed = tonumber(h[14] or 0) + tonumber(h[15] or 0)
  local why = unconfirmed > 0 and 'unconfirmed 0 ' .. unconfirmed .. ' ' .. size .. ' canary'
    or too_many(h[8] or '', refused, size, tonumber(h[9]))
    or tonumber(h[10] or 0) == 0 and 'none_cancelled 0 0 ' .. size .. ' canary'
  if why then return stop.halt(id, h[1], why) end
  call('HSET', jk, 'canary_passed', ms(NOW))
  canary.release(id)
  order.announce(id)
end

-- Goes on with a job that was halted: with its rest, unless references of the canary still have no result.
function canary.go_on(id)
  local h = call('HMGET', K.job(id), 'rest', 'canary_size', 'calls', 'reads', 'later', 'claimed', 'alone')
  if h[1] and not under_way(h) then canary.release(id) end
end
