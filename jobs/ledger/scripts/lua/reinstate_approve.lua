-- Notes that a person approves a planned reinstatement; '' only asks who has.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 the plan's name (shared/plans.lua)  4 by whom, or ''
-- Answer  the names of those who have; nothing where the plan is gone
-- Keeps  approvals expire with their plan. Who made it approves nothing. Names that differ only in case are one person. This may be sent twice.
local p = plan.read(ARGV[3])
if not p or p.account ~= ACCOUNT then return {} end
local key = K.plan_approvals(ARGV[3])
local by = string.lower(ARGV[4])
if by ~= '' and by ~= string.lower(p.made_by or '') then
  call('HSETNX', key, by, ms(NOW))
  call('EXPIRE', key, ms(math.ceil((p.expires_at - NOW) / 1000)))
end
return call('HKEYS', key)
