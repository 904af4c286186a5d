-- Pauses a job, or the whole account: no more references are claimed, and staged claims do not start.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job, or '' for the account
-- Answer  the present state, or '' for an unknown job
-- Keeps  the gate's version rises, so that every worker releases its staged claims.
if ARGV[3] ~= '' then kinds.job(ARGV[3]) end
call('HINCRBY', K.state, 'gate', 1)
if ARGV[3] == '' then
  call('HSETNX', K.state, 'paused', ms(NOW))
  call('PUBLISH', WAKE, ACCOUNT .. ' gate')
  return 'paused'
end
local id = ARGV[3]
local state = call('HGET', K.job(id), 'state')
if state == 'held' or state == 'queued' or state == 'running' then
  order.leave_all(id)
  call('HSET', K.job(id), 'state', 'paused', 'paused_at', ms(NOW))
  call('PUBLISH', WAKE, ACCOUNT .. ' gate')
  return 'paused'
end
return state or ''
