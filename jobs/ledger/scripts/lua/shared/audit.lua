-- The audit log: who has changed what.
local audit = {}

-- Notes a job that a worker has made of an entry of the intake stream. It is made, whether this can be noted or not.
function audit.enqueued(id, entry)
  redis.pcall('XADD', K.audit(), '*', 'what', 'enqueue', 'job', id, 'account', ACCOUNT, 'via', 'intake',
    'who', call('HGET', K.job(id), 'requested_by') or '', 'where', entry, 'result', 'done')
end
