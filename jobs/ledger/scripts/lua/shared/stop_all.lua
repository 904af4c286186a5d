-- The stop of all accounts. It is a field of the totals, which every script has as a key, so that it also holds for
-- accounts whose first job comes later:
--   stopped_at, stopped_by, stopped_why   since when (ms), by whom, and why
--   stop_files   JSON {worker: {at ms, where}}: the stop files that workers have seen lately
local stop_all = {}
local SEEN_MS = 3000

function stop_all.stands() return call('HGET', K.totals, 'stopped_at') end

-- Every account that there is: those that ever had a job, and those that workers serve.
local function every_account()
  local names, found = {}, {}
  for _, list in ipairs({ call('SMEMBERS', K.accounts), call('ZRANGE', K.served, 0, -1) }) do
    for _, name in ipairs(list) do
      if not found[name] then names[#names + 1] = name end
      found[name] = true
    end
  end
  return names
end

-- Stops all accounts, unless they are stopped. The versions of their gates rise, so that every worker releases its
-- staged claims. Answers 1 where this call has stopped them.
function stop_all.begin(by, why)
  if stop_all.stands() then return 0 end
  call('HSET', K.totals, 'stopped_at', ms(NOW), 'stopped_by', by, 'stopped_why', why)
  for _, name in ipairs(every_account()) do
    call('HINCRBY', K.state_of(name), 'gate', 1)
    call('PUBLISH', WAKE, name .. ' gate')
  end
  return 1
end

-- Lets all accounts go on. Those that were paused on their own stay so.
function stop_all.finish()
  local since = stop_all.stands()
  if not since then return end
  call('HDEL', K.totals, 'stopped_at', 'stopped_by', 'stopped_why')
  for _, name in ipairs(every_account()) do
    if not call('HGET', K.state_of(name), 'paused') then
      call('HSET', K.state_of(name), 'paused_from', since, 'paused_until', ms(NOW))
    end
    call('PUBLISH', WAKE, name)
  end
end

function stop_all.files() return cjson.decode(call('HGET', K.totals, 'stop_files') or '{}') end

-- Notes the stop file that a worker sees; '' where it sees none. Forgets those of workers that say nothing more.
function stop_all.note(worker, where)
  local kept = where ~= '' and { [worker] = { at = NOW, where = where } } or {}
  for name, one in pairs(stop_all.files()) do
    if name ~= worker and NOW - one.at < SEEN_MS then kept[name] = one end
  end
  if next(kept) then
    call('HSET', K.totals, 'stop_files', cjson.encode(kept))
  else
    call('HDEL', K.totals, 'stop_files')
  end
end

-- Where a live worker sees a stop file; nil where none does.
function stop_all.seen()
  for _, one in pairs(stop_all.files()) do
    if NOW - one.at < SEEN_MS then return one.where end
  end
  return nil
end
