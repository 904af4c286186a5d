-- Samples of the job's progress, for its rate and time left (jobs/progress/eta.py). A sample is "at:count:sum": `at` in
-- ms on the job's clock, which runs from its start and stops while the job may not run; `count` of results that calls
-- and reads brought; `sum` of the times at which they came. `sampled` has the newest one, the time of the sample kept
-- before it, and the number of calls that brought results (missing where an older version counted, too): "at:count:sum
-- kept calls". `samples` has the kept ones, fewer the older they are, each with the references then in calls:
-- "at:count:sum:in_calls:calls".
local GAP_MS, YOUNG, SAMPLES, HISTORY_MS, HOLD_MS = 50, 16, 32, 300000, 5000

-- Drops the oldest sample once it has aged, and else the one that is closest to its neighbours for its age.
local function thin(kept, now)
  if #kept > 2 and now - kept[2].at > HISTORY_MS then table.remove(kept, 1) end
  if #kept <= SAMPLES then return end
  local least, which = math.huge, 1
  for i = 1, #kept - 1 do
    local before = i > 1 and kept[i - 1].at or 0
    local loss = (kept[i + 1].at - before) / (now - kept[i].at + 1)
    if loss < least then least, which = loss, i end
  end
  table.remove(kept, which)
end

local function keep(samples, sample, now)
  local kept, out = {}, {}
  for at, rest in string.gmatch(samples or '', '(%d+)(%S+)') do
    kept[#kept + 1] = { at = tonumber(at), text = at .. rest }
  end
  kept[#kept + 1] = sample
  thin(kept, now)
  for i, s in ipairs(kept) do out[i] = s.text end
  return table.concat(out, ' ')
end

-- How long since `since` (ms) the account was paused, or held for long enough to stop the job's clock.
local stops
local function stopped_since(since)
  stops = stops or call('HMGET', K.state, 'paused_from', 'paused_until', 'hold_until')
  local pause = tonumber(stops[2] or 0) - math.max(since, tonumber(stops[1] or 0))
  local hold = tonumber(stops[3] or 0) - since
  if hold < HOLD_MS or since + hold > NOW then hold = 0 end
  return math.max(0, pause, hold)
end

-- The number of the job's claimed references that are in calls; the rest is staged. It is estimated by the ratio of
-- slots to claims, without the claim that is just being settled.
local function in_calls(claimed)
  local share = call('ZCARD', K.slots) / math.max(1, call('HLEN', K.claimed) - 1)
  return ms(math.floor(math.min(1, share) * claimed))
end

-- Notes the job's number of results. Several pieces of the job may have been in one call, which is counted once.
local counted = {}
function result.sample(id)
  local jk = K.job(id)
  local h = call('HMGET', jk, 'settled', 'outcome:invalid', 'outcome:aborted', 'outcome:expired', 'sampled',
    'started_at', 'idle', 'claimed')
  local count = tonumber(h[1] or 0) - tonumber(h[2] or 0) - tonumber(h[3] or 0) - tonumber(h[4] or 0)
  local at, last, sum, kept_at, calls = string.match(h[5] or '0:0:0 0 0', '(%d+):(%d+):(%d+) (%d+) ?(%d*)')
  if not h[6] or count <= tonumber(last) then return end
  local zero = tonumber(h[6]) + tonumber(h[7] or 0)
  local idle = tonumber(h[7] or 0) + stopped_since(zero + tonumber(at))
  local now = math.max(tonumber(at), NOW - tonumber(h[6]) - idle)
  local fields = {}
  if now - tonumber(kept_at) >= math.min(GAP_MS, now / YOUNG) and last ~= '0' then
    local sample = { at, last, sum, in_calls(tonumber(h[8] or 0)), calls ~= '' and calls or nil }
    sample = { at = tonumber(at), text = table.concat(sample, ':') }
    fields = { 'samples', keep(call('HGET', jk, 'samples'), sample, now) }
    kept_at = at
  end
  if idle > 0 then fields[#fields + 1], fields[#fields + 2] = 'idle', ms(idle) end
  local newest = ms(now) .. ':' .. ms(count) .. ':' .. ms(tonumber(sum) + (count - tonumber(last)) * now)
  calls = calls ~= '' and ' ' .. ms(calls + (counted[id] and 0 or 1)) or ''
  counted[id] = true
  call('HSET', jk, 'sampled', newest .. ' ' .. kept_at .. calls, unpack(fields))
end

-- Stops the job's clock for the time since `from` (ms), without the part before the last result.
function result.rest(id, from)
  local h = call('HMGET', K.job(id), 'started_at', 'idle', 'sampled')
  if not h[1] or not from then return end
  local at = tonumber(string.match(h[3] or '0', '%d+'))
  local idle = tonumber(h[2] or 0)
  local gap = NOW - math.max(tonumber(from), tonumber(h[1]) + idle + at)
  if gap > 0 then call('HSET', K.job(id), 'idle', ms(idle + gap)) end
end
