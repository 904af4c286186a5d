-- The guards of an account: what a job may be before a person has to look at it (jobs/safety/guard.py has the rule in
-- words). A guard is a text such as "references:5000 day:20000 share:10 unusual:5 above:500 approvals:2 keep:86400000".
-- The account's state has what the guards compare with:
--   handed_hours, handed_days   references handed in, "HOUR:COUNT ..." and "DAY:COUNT ...", oldest first, since 1970
--   open_count                  "COUNT AT": open consignments on the platform, and when a worker counted them (ms)
--   open_asked                  when a worker was last told to count them (ms)
-- Fields of a job:
--   guard    the guard of the process that hands it in, until it is sealed
--   judged   marks of the guards that it was judged by
--   handed   references handed in within 24 h, its own among them, as it was handed in
--   overrode what an override passed, as `approval_why` (shared/approvals.lua)
local guard = {}
local LEAST, FRESH_MS, HOUR_MS = 100, 3600000, 3600000
local HOURS, DAYS, USUAL_DAYS, KEEP_MS = 24, 28, 5, 86400000
local MOST = { references = true, day = true, share = true }

-- Reads buckets that are not older than `since`.
local function buckets(packed, since)
  local found = {}
  for at, count in string.gmatch(packed or '', '(%d+):(%d+)') do
    if tonumber(at) >= since then found[#found + 1] = { at = tonumber(at), count = tonumber(count) } end
  end
  return found
end

-- Counts in the bucket `at`, and forgets those before `since`; answers the sum over all that are kept.
local function add(name, at, since, count)
  local found, out = buckets(call('HGET', K.state, name), since), {}
  if #found == 0 or found[#found].at < at then found[#found + 1] = { at = at, count = 0 } end
  found[#found].count = found[#found].count + count
  local sum = 0
  for i, one in ipairs(found) do
    sum, out[i] = sum + one.count, ms(one.at) .. ':' .. ms(one.count)
  end
  call('HSET', K.state, name, table.concat(out, ' '))
  return sum
end

-- The references handed in within 24 h, and up to an hour before that, so that none within them is missed.
local function handed()
  local sum = 0
  for _, one in ipairs(buckets(call('HGET', K.state, 'handed_hours'), math.floor(NOW / HOUR_MS) - HOURS)) do
    sum = sum + one.count
  end
  return sum
end

-- The median of those days of the last weeks on which any were handed in; nil where there are too few such days.
local function usual()
  local today, counts = math.floor(NOW / HOUR_MS / 24), {}
  for _, one in ipairs(buckets(call('HGET', K.state, 'handed_days'), today - DAYS)) do
    if one.at < today and one.count > 0 then counts[#counts + 1] = one.count end
  end
  if #counts < USUAL_DAYS then return nil end
  table.sort(counts)
  return (counts[math.floor((#counts + 1) / 2)] + counts[math.floor(#counts / 2) + 1]) / 2
end

-- The open consignments; nil where they are not known, or were counted too long ago.
local function open()
  local count, at = string.match(call('HGET', K.state, 'open_count') or '', '^(%d+) (%d+)$')
  return count and NOW - tonumber(at) <= FRESH_MS and tonumber(count) or nil
end

local function parsed(text)
  local limits = {}
  for name, value in string.gmatch(text, '(%a+):(%S+)') do limits[name] = tonumber(value) end
  return limits
end

local function number(value) return value == math.floor(value) and ms(value) or string.format('%.14g', value) end

-- What `count` references pass of a guard, each as { KIND, "KIND FOUND LIMIT OF" }; `day` are those of 24 h with them.
local function passed(limits, count, day)
  local found = {}
  local function note(kind, value, limit, of)
    found[#found + 1] = { kind, table.concat({ kind, number(value), number(limit), number(of) }, ' ') }
  end
  if limits.references and count > limits.references then note('references', count, limits.references, 0) end
  if limits.day and day > limits.day then note('day', day, limits.day, count) end
  if limits.share and count >= LEAST then
    local known = open()
    if not known then
      note('unknown', count, limits.share, 0)
    elseif count * 100 > limits.share * known then
      note('share', count, limits.share, known)
    end
  end
  if limits.unusual and day >= LEAST then
    local median = usual()
    if median and day > limits.unusual * median then note('unusual', day, limits.unusual, median) end
  end
  if limits.above and count > limits.above then note('above', count, limits.above, 0) end
  return found
end

local function listed(found) return table.concat(found, ';') end

-- Judges `count` references by each of the guards; nil where all let them pass. An override lets them pass all guards,
-- but stands for no second person. Answers
--   refused   whether a guard refuses them: they pass a most of it, and it asks for no approvals
--   why       what they pass        overrode  what they pass by the override
--   wanted    the approvals that they need, nil for none; keep: ms after which these lapse
local function judge(guards, count, day, overridden)
  local verdict, why, overrode, seen = { keep = math.huge }, {}, {}, {}
  for _, text in ipairs(guards) do
    local limits = parsed(text)
    local approvals = limits.approvals or (limits.above and 1)
    for _, one in ipairs(count > 0 and passed(limits, count, day) or {}) do
      local kind, told = one[1], one[2]
      local into = overridden and kind ~= 'above' and overrode or why
      if not seen[told] then into[#into + 1] = told end
      seen[told] = true
      if into == why then
        verdict.refused = verdict.refused or (MOST[kind] and not approvals)
        verdict.wanted = math.max(verdict.wanted or 1, approvals or 1)
        verdict.keep = math.min(verdict.keep, limits.keep or KEEP_MS)
      end
    end
  end
  verdict.why, verdict.overrode = listed(why), listed(overrode)
  return (#why > 0 or #overrode > 0) and verdict or nil
end

-- Judges a job that is to be handed in, before anything of it is visible. Answers as `judge` does.
function guard.at_seal(own, count, overridden)
  return guard.any(own) and judge(safeguards.guards(own), count, handed() + count, overridden) or nil
end

-- A short name of a guard: a longer value would make the job's hash several times as large.
local function mark(text) return string.sub(redis.sha1hex(text), 1, 12) end

local function marks(guards)
  local found = {}
  for i, text in ipairs(guards) do found[i] = mark(text) end
  return table.concat(found, ' ')
end

-- Counts a job that is handed in, and notes in it by which guards it was judged.
function guard.enter(id, count, own)
  local hour, jk = math.floor(NOW / HOUR_MS), K.job(id)
  local sum = add('handed_hours', hour, hour - HOURS, count)
  add('handed_days', math.floor(hour / 24), math.floor(hour / 24) - DAYS, count)
  local guards = safeguards.guards(own)
  call('HSET', jk, 'handed', ms(sum))
  if #guards > 0 then call('HSET', jk, 'judged', marks(guards)) end
end

-- Whether there is any guard, `own` among them.
function guard.any(own) return #safeguards.guards(own) > 0 end

-- Judges a job that is about to start, by guards that it was not judged by as it was handed in: no worker lived then,
-- or others did. What would have been refused is held for approval now. Answers as `judge` does.
function guard.at_start(id)
  local guards = safeguards.guards('')
  if #guards == 0 then return nil end
  local jk = K.job(id)
  local h = call('HMGET', jk, 'judged', 'handed', 'total', 'invalid', 'overridden_by')
  local count = tonumber(h[3] or 0) - tonumber(h[4] or 0)
  if not h[2] then -- an older version has handed it in
    guard.enter(id, count, '')
    h[2] = call('HGET', jk, 'handed')
  end
  local fresh = {}
  for _, text in ipairs(guards) do
    if not string.find(h[1] or '', mark(text), 1, true) then fresh[#fresh + 1] = text end
  end
  if #fresh == 0 then return nil end
  call('HSET', jk, 'judged', (h[1] and h[1] .. ' ' or '') .. marks(fresh))
  local verdict = judge(fresh, count, tonumber(h[2]), h[5])
  if verdict and verdict.overrode ~= '' then call('HSET', jk, 'overrode', verdict.overrode) end
  return verdict and verdict.wanted and verdict or nil
end
