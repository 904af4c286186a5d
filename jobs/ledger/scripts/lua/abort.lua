-- Begins to abort a job: no more references are called. slice.lua writes the results of those that were never sent.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job
-- Answer  the present state, or '' for an unknown job
-- Keeps  references that may have been sent are read before they get a result; aborting again changes nothing.
local id = ARGV[3]
kinds.job(id)
local state = call('HGET', K.job(id), 'state')
if state == 'held' or state == 'queued' or state == 'running' or state == 'paused' or state == 'halted' then
  job.abort(id)
  return 'aborting'
end
return state or ''
