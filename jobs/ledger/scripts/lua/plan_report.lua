-- Keeps the report of a plan that a worker has read. From here on a job can be made by it.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 name  4 the worker's name for this reading
--       5 the platform's host  6 the digest of account, host and content  7 the report
-- Answer  1, also where this worker has written it before; 0 where the plan is gone or another worker's
-- Keeps  a plan gets one report, with the host that was read from; it expires when it was to.
kinds.plan(ARGV[3])
local p = plan.read(ARGV[3])
if not p or p.lease ~= ARGV[4] then return 0 end
if p.state == 'ready' then return 1 end
local left = p.expires_at - NOW
if left <= 0 then return 0 end
p.state, p.host, p.digest = 'ready', ARGV[5], ARGV[6]
call('SET', K.plan_report(ARGV[3]), ARGV[7], 'PX', ms(left))
plan.write(ARGV[3], p)
call('UNLINK', K.plan_request(ARGV[3]))
call('ZREM', K.plans(), ARGV[3])
return 1
