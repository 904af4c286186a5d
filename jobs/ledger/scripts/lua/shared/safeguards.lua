-- The safeguards of an account, as its workers have them in their settings. The account's state has them in
-- `safeguards`: JSON {worker: {at ms, stop, hold ms, guard?, canary?, canary_above?, snapshot?}}. Those of all live workers hold
-- together, and after the last has gone those that it left; so neither a worker with laxer settings nor a producer with
-- none takes any away.
local safeguards = {}
local LIVE_MS = 4000
local known

function safeguards.read()
  known = known or cjson.decode(call('HGET', K.state, 'safeguards') or '{}')
  return known
end

-- Notes the safeguards of a worker, and forgets those of workers that are gone.
function safeguards.note(worker, own)
  local has = own.stop ~= '' or own.hold > 0 or own.canary > 0 or own.guard or own.snapshot
  if not has and call('HEXISTS', K.state, 'safeguards') == 0 then return end
  local kept = has and { [worker] = { at = NOW, stop = own.stop, hold = own.hold, guard = own.guard, canary = own.canary,
    canary_above = own.canary_above, snapshot = own.snapshot } } or {}
  for name, one in pairs(safeguards.read()) do
    if name ~= worker and NOW - one.at < LIVE_MS then kept[name] = one end
  end
  if next(kept) then
    call('HSET', K.state, 'safeguards', cjson.encode(kept))
  else
    call('HDEL', K.state, 'safeguards')
  end
  known = kept
end

-- The longest hold, ms.
function safeguards.hold()
  local longest = 0
  for _, one in pairs(safeguards.read()) do longest = math.max(longest, one.hold) end
  return longest
end

-- The largest canary of a job with so many references.
function safeguards.canary(count)
  local most = 0
  for _, one in pairs(safeguards.read()) do
    if count > (one.canary_above or 0) then most = math.max(most, one.canary or 0) end
  end
  return most
end

local function all_are_kept()
  for _, one in pairs(safeguards.read()) do
    if one.snapshot then return true end
  end
  return false
end

-- Has the record of each reference of a job kept before its call, where a worker asks that of all jobs. It is done as
-- the job is sealed, and again as it starts.
function safeguards.keep_records(id)
  if all_are_kept() then call('HSET', K.job(id), 'snapshot', 1) end
end

-- Whether the record of each reference of a job in this state is kept before its call.
function safeguards.are_kept(id, state)
  return call('HEXISTS', K.job(id), 'snapshot') == 1 or (state == 'queued' and all_are_kept())
end

-- A job whose calls wait for a worker that can keep records, among the first of the queue; nil where there is none.
function safeguards.first_unkept()
  for _, member in ipairs(call('ZRANGE', K.calls, 0, 99)) do
    local id = string.sub(member, 15)
    if safeguards.are_kept(id, call('HGET', K.job(id), 'state')) then return id end
  end
  return nil
end

local function names_of(found)
  local names = {}
  for name in pairs(found) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- All limits of the failure stop, in a fixed order.
function safeguards.limits()
  local texts, found = {}, safeguards.read()
  for i, name in ipairs(names_of(found)) do texts[i] = found[name].stop end
  return table.concat(texts, ' ')
end

-- All guards, each once, in a fixed order; `own` is that of who hands in, '' for none.
function safeguards.guards(own)
  local texts, seen, found = {}, {}, safeguards.read()
  local function gather(text)
    if text and text ~= '' and not seen[text] then
      seen[text] = true
      texts[#texts + 1] = text
    end
  end
  gather(own)
  for _, name in ipairs(names_of(found)) do gather(found[name].guard) end
  return texts
end
