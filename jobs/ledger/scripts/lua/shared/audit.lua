-- The audit log: who has changed what.
local audit = {}

-- Notes a job that a worker has made of an entry of the intake stream. It is made, whether this can be noted or not.
function audit.enqueued(id, entry)
  redis.pcall('XADD', K.audit(), '*', 'what', 'enqueue', 'job', id, 'account', ACCOUNT, 'via', 'intake',
    'who', call('HGET', K.job(id), 'requested_by') or '', 'where', entry, 'result', 'done')
end

-- Notes that a job has halted; why as in `halted_why` (shared/failure_stop.lua).
function audit.halted(id, why)
  local about = string.gsub(why, '^(%S+) (%S+) (%S+) (%S+).*', '%3 of %4 results are %1, and the limit is %2')
  redis.pcall('XADD', K.audit(), '*', 'what', 'halt', 'job', id, 'account', ACCOUNT, 'via', 'worker', 'result', 'done',
    'about', about)
end
