-- The safeguards of an account, as its workers have them in their settings. The account's state has them in
-- `safeguards`: JSON {worker: {at ms, stop, hold ms, canary?, canary_above?}}. Those of all live workers hold together, and after the last has
-- gone those that it left; so neither a worker with laxer settings nor a producer with none takes any away.
local safeguards = {}
local LIVE_MS = 4000

function safeguards.read() return cjson.decode(call('HGET', K.state, 'safeguards') or '{}') end

-- Notes the safeguards of a worker, and forgets those of workers that are gone.
function safeguards.note(worker, own, hold, canary, above)
  local has = own ~= '' or hold > 0 or canary > 0
  if not has and call('HEXISTS', K.state, 'safeguards') == 0 then return end
  local kept = has and { [worker] = { at = NOW, stop = own, hold = hold, canary = canary, canary_above = above } } or {}
  for name, one in pairs(safeguards.read()) do
    if name ~= worker and NOW - one.at < LIVE_MS then kept[name] = one end
  end
  if next(kept) then
    call('HSET', K.state, 'safeguards', cjson.encode(kept))
  else
    call('HDEL', K.state, 'safeguards')
  end
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

-- All limits of the failure stop, in a fixed order.
function safeguards.limits()
  local names, texts, found = {}, {}, safeguards.read()
  for name in pairs(found) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do texts[i] = found[name].stop end
  return table.concat(texts, ' ')
end
