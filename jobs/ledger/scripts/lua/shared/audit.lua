-- The audit log: who has changed what.
local audit = {}

-- Notes a job that a worker has made of an entry of the intake stream. It is made, whether this can be noted or not.
function audit.enqueued(id, entry)
  redis.pcall('XADD', K.audit(), '*', 'what', 'enqueue', 'job', id, 'account', ACCOUNT, 'via', 'intake',
    'who', call('HGET', K.job(id), 'requested_by') or '', 'where', entry, 'result', 'done')
end

local function in_words(why)
  local cause, limit, found, results, place = string.match(why, '^(%S+) (%S+) (%S+) (%S+) (%S+)$')
  if cause == 'host' then return 'it is meant for the host ' .. limit .. ', and a worker calls ' .. found end
  local of = results .. ' results' .. (place == 'canary' and ' of its canary' or '')
  if cause == 'none_cancelled' then return 'none of ' .. of .. ' is cancelled' end
  return found .. ' of ' .. of .. ' are ' .. cause .. ', and the limit is ' .. limit
end

-- Notes what became of a job by itself.
function audit.noted(what, id, about)
  redis.pcall('XADD', K.audit(), '*', 'what', what, 'job', id, 'account', ACCOUNT, 'via', 'worker', 'result', 'done',
    'about', about)
end

-- Notes that a job has halted; why as in `halted_why` (shared/failure_stop.lua).
function audit.halted(id, why) audit.noted('halt', id, in_words(why)) end
