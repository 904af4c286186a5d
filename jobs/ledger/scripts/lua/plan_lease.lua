-- Renews a worker's lease of a plan that it reads, or gives the plan back.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 name  4 the worker's name for this reading
--       5 ms until another worker may take it  6 '1' to give it back
-- Answer  1, or 0 where the plan is gone, has its report, or is another worker's
kinds.plan(ARGV[3])
local p = plan.read(ARGV[3])
if not p or p.state ~= 'waiting' or p.lease ~= ARGV[4] then return 0 end
if ARGV[6] == '1' then
  p.lease = nil
  plan.write(ARGV[3], p)
end
call('ZADD', K.plans(), ms(NOW + tonumber(ARGV[5])), ARGV[3])
return 1
