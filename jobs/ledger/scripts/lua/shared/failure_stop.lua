-- The failure stop: halts a job of which too many references were refused, or are unconfirmed. Only final results count,
-- and settle.lua counts them, so that the counts are exact over all workers (jobs/safety/failure_stop.py has the rule in
-- words). Fields of a job with a stop:
--   stop         its limits: "refused:50 refused:5% unconfirmed:10"
--   stop_seen    the counts at the last look: "results refused unconfirmed"
--   stop_from    the counts at which somebody continued the job
--   stop_window  the last results in buckets, oldest first: "results:refused:unconfirmed ..."
--   halted_at, halted_why   when it halted (ms), and "WHICH LIMIT FOUND RESULTS PLACE": the count of failures among so
--                many results, of the 'job', of the 'window' of its last results, or of its 'canary' (canary.lua);
--                or "host PLANNED CALLED 0 job": it is meant for one host, and a worker calls another
--   host         the only host that it may be called at: that of its plan, or that which was named as it was handed in
local stop = {}
local LEAST, BUCKET, BUCKETS, LOOK_AGAIN_MS = 50, 100, 10, 5000

local function counts_of(text)
  local n, r, u = string.match(text or '0 0 0', '(%d+) (%d+) (%d+)')
  return { results = tonumber(n), refused = tonumber(r), unconfirmed = tonumber(u) }
end

-- Adds what is new to the newest bucket; answers the sums over all kept buckets, and the packed buckets.
local function windowed(packed, new)
  local buckets, sums, out = {}, { results = 0, refused = 0, unconfirmed = 0 }, {}
  for n, r, u in string.gmatch(packed or '', '(%d+):(%d+):(%d+)') do
    buckets[#buckets + 1] = { results = tonumber(n), refused = tonumber(r), unconfirmed = tonumber(u) }
  end
  local newest = buckets[#buckets]
  if not newest or newest.results >= BUCKET then
    newest = { results = 0, refused = 0, unconfirmed = 0 }
    buckets[#buckets + 1] = newest
    if #buckets > BUCKETS then table.remove(buckets, 1) end
  end
  for name, value in pairs(new) do newest[name] = newest[name] + value end
  for i, b in ipairs(buckets) do
    for name, value in pairs(b) do sums[name] = sums[name] + value end
    out[i] = b.results .. ':' .. b.refused .. ':' .. b.unconfirmed
  end
  return sums, table.concat(out, ' ')
end

local function share_passed(found, of, percent) return of >= LEAST and found * 100 > percent * of end

-- The first limit that is passed, as the text of `halted_why`; nil where none is.
local function passed(limits, since, recent, total)
  for which, limit in string.gmatch(limits, '(%a+):(%S+)') do
    local percent, found = tonumber(string.match(limit, '^(.+)%%$')), since[which]
    local words = which .. ' ' .. limit .. ' '
    if not percent then
      if found > tonumber(limit) then return words .. found .. ' ' .. since.results .. ' job' end
    elseif share_passed(found, since.results, percent) or found * 100 > percent * total then
      return words .. found .. ' ' .. since.results .. ' job'
    elseif share_passed(recent[which], recent.results, percent) then
      return words .. recent[which] .. ' ' .. recent.results .. ' window'
    end
  end
  return nil
end

-- Adds the limits of the account's workers to those that the job was handed in with: so no way in passes them by. It is
-- done as the job is sealed, and again as it starts: other workers may have come since.
function stop.join(id)
  local limits = safeguards.limits()
  if limits == '' then return end
  local own = call('HGET', K.job(id), 'stop') or ''
  for limit in string.gmatch(limits, '%S+') do
    if not string.find(' ' .. own .. ' ', ' ' .. limit .. ' ', 1, true) then own = own .. (own == '' and '' or ' ') .. limit end
  end
  call('HSET', K.job(id), 'stop', own)
end

-- Halts a job that is in this state.
function stop.halt(id, state, why)
  order.leave_all(id)
  if state ~= 'paused' then call('HSET', K.job(id), 'paused_at', ms(NOW)) end
  call('HSET', K.job(id), 'state', 'halted', 'halted_at', ms(NOW), 'halted_why', why)
  audit.halted(id, why)
  job.tell('halted:' .. id)
  starts.halted()
  call('HINCRBY', K.state, 'gate', 1)
  call('PUBLISH', WAKE, ACCOUNT .. ' gate')
end

-- Whether a job is meant for another host than the one that a worker calls. Then nothing of it is called or read there:
-- the job halts, or is offered again by sweep.lua once it may halt (start_leases.lua). One that is being aborted stays so,
-- and sweep.lua offers its reads again.
function stop.elsewhere(id, state, called)
  local meant = called and called ~= '' and call('HGET', K.job(id), 'host')
  if not meant or meant == called then return false end
  local halts, wait_ms = order.runnable(state, 'calls'), LOOK_AGAIN_MS
  if halts then wait_ms = call('HEXISTS', K.job(id), 'stop') == 1 and starts.revoke() or 0 end
  if halts and wait_ms == 0 then
    stop.halt(id, state, 'host ' .. meant .. ' ' .. called .. ' 0 job')
  else
    order.leave_all(id)
    call('ZADD', K.held, ms(NOW + wait_ms), id)
  end
  return true
end

-- What is known of a job with a stop; nil where it has none. `now` holds the counts of its results.
local COUNTED = { cancelled = 'fine', already_cancelled = 'fine', manifested = 'refused', not_found = 'refused',
  rejected = 'refused', unconfirmed = 'unconfirmed', failed = 'unconfirmed' }
local function known_of(id)
  local h = call('HMGET', K.job(id), 'stop', 'state', 'stop_seen', 'stop_from', 'stop_window', 'total', 'outcome:cancelled',
    'outcome:already_cancelled', 'outcome:manifested', 'outcome:not_found', 'outcome:rejected', 'outcome:unconfirmed',
    'outcome:failed', 'rest', 'claimed')
  if not h[1] then return nil end
  local now = { refused = 0, unconfirmed = 0 }
  for i = 9, 11 do now.refused = now.refused + tonumber(h[i] or 0) end
  for i = 12, 13 do now.unconfirmed = now.unconfirmed + tonumber(h[i] or 0) end
  now.results = tonumber(h[7] or 0) + tonumber(h[8] or 0) + now.refused + now.unconfirmed
  return { limits = h[1], state = h[2], seen = counts_of(h[3]), from = counts_of(h[4]), window = h[5], now = now,
    total = tonumber(h[6]), in_canary = h[14], claimed = tonumber(h[15] or 0) }
end

-- Takes in the results since the last look; answers nil where there are none, else whether it did, and why the job halts.
local function looked(j)
  local new, since, recent = {}, {}, nil
  for name, value in pairs(j.now) do new[name], since[name] = value - j.seen[name], value - j.from[name] end
  if new.results == 0 then return false end
  recent, j.window = windowed(j.window, new)
  if j.state ~= 'running' and j.state ~= 'queued' and j.state ~= 'paused' then return true end
  local why = passed(j.limits, since, recent, j.total - j.from.results)
  if why and j.in_canary then why = string.gsub(why, '%a+$', 'canary') end -- all results so far are of its canary
  return true, why
end

-- Looks at the results of a job, and halts it where a limit is passed and references are left. Its queued references
-- stay; calls in flight end and are counted.
function stop.check(id)
  local j = known_of(id)
  if not j then return end
  local new, why = looked(j)
  if not new then return end
  call('HSET', K.job(id), 'stop_seen', j.now.results .. ' ' .. j.now.refused .. ' ' .. j.now.unconfirmed, 'stop_window', j.window)
  if why then stop.halt(id, j.state, why) end
end

-- What is known of the jobs of these parts of which others, too, have calls or reads under way, by id; false for each other
-- job. Where nothing else is under way, no call can start unasked, so that the job may halt at once.
local function under_way(held, parts)
  local jobs = {}
  for i, groups in ipairs(parts) do
    local id = held[2 * i - 1]
    if jobs[id] == nil then jobs[id] = known_of(id) or false end
    for _, g in ipairs(jobs[id] and groups or {}) do jobs[id].claimed = jobs[id].claimed - g.count end
  end
  for id, j in pairs(jobs) do jobs[id] = j and j.claimed > 0 and j end
  return jobs
end

-- Whether the results of these parts pass a limit of such a job: stop.check looks after each part, and so does this.
local function would_halt(held, parts)
  local jobs = under_way(held, parts)
  for i, groups in ipairs(parts) do
    local j = jobs[held[2 * i - 1]]
    for _, g in ipairs(j and groups or {}) do
      local what = COUNTED[g.outcome]
      if what then
        j.now.results = j.now.results + g.count
        if what ~= 'fine' then j.now[what] = j.now[what] + g.count end
      end
    end
    if j then
      local _, why = looked(j)
      if why then return true end
      j.seen = { results = j.now.results, refused = j.now.refused, unconfirmed = j.now.unconfirmed }
    end
  end
  return false
end

-- The time (ms) for which the settlement of a claim must be put off, since it would halt a job of which calls may still
-- start unasked, or comes after one that would; 0 where it need not be.
function stop.put_off(claimed, held, parts)
  local wait_ms = starts.behind(claimed)
  if wait_ms > 0 or tonumber(call('HGET', K.state, 'starts_until') or 0) <= NOW then return wait_ms end
  return would_halt(held, parts) and starts.revoke(claimed) or 0
end

-- Lets a halted job begin to count anew.
function stop.forgive(id)
  call('HSET', K.job(id), 'stop_from', call('HGET', K.job(id), 'stop_seen') or '0 0 0')
  call('HDEL', K.job(id), 'stop_window', 'halted_at', 'halted_why')
end
