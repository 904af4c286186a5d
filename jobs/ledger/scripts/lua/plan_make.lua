-- Keeps a new plan: one with its report, or one that waits for a worker to read.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 name  4 ms to keep it
--       5 JSON {v, host, content, digest, count, made_by?} (shared/plans.lua)
--       6 the request, or ''  7 the report, or ''
-- Answer  when it expires, ms; 0 where there is one of that name, which stays as it is
-- Keeps  all of a plan expires together.
local name, keep = ARGV[3], ARGV[4]
kinds.plan(name)
if call('EXISTS', K.plan(name)) == 1 then return '0' end
local p = cjson.decode(ARGV[5])
p.account = ACCOUNT
p.created_at = NOW
p.expires_at = NOW + tonumber(keep)
p.state = ARGV[7] ~= '' and 'ready' or 'waiting'
call('SET', K.plan(name), cjson.encode(p), 'PX', keep)
if p.state == 'ready' then
  call('SET', K.plan_report(name), ARGV[7], 'PX', keep)
else
  call('SET', K.plan_request(name), ARGV[6], 'PX', keep)
  call('ZADD', K.plans(), ms(NOW), name)
end
return ms(p.expires_at)
