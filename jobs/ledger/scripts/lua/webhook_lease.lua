-- Takes or renews the lease of the process that delivers webhooks, or gives it back.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 worker  4 ms to keep it, 0 to give it back
-- Answer  {1 where the worker has the lease, endpoints}
-- Keeps  one process has it; who says nothing any more loses it when its time has passed.
local key = PREFIX .. 'webhooks:lease'
local count = call('ZCARD', K.webhooks)
local holder = call('GET', key)
if holder and holder ~= ARGV[3] then return { 0, count } end
if ARGV[4] == '0' or count == 0 then
  if holder then call('UNLINK', key) end
  return { 0, count }
end
call('SET', key, ARGV[3], 'PX', ARGV[4])
return { 1, count }
