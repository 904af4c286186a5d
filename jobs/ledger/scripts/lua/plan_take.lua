-- Gives a worker a plan that waits, and which no living worker reads.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 the worker's name for this reading  4 ms of its lease
--       5.. the accounts that it serves
-- Answer  {name, the plan's JSON, its request}, or nothing
-- Keeps  one worker at a time reads a plan; a dead worker's is given to another when its lease has passed.
local MOST = 1000
local serves = {}
for at = 5, #ARGV do serves[ARGV[at]] = true end
for _, name in ipairs(call('ZRANGEBYSCORE', K.plans(), '-inf', ms(NOW), 'LIMIT', 0, MOST)) do
  local p = plan.read(name)
  local request = p and p.state == 'waiting' and call('GET', K.plan_request(name))
  if not request then
    call('ZREM', K.plans(), name)
  elseif serves[p.account] then
    p.lease = ARGV[3]
    plan.write(name, p)
    call('ZADD', K.plans(), ms(NOW + tonumber(ARGV[4])), name)
    return { name, cjson.encode(p), request }
  end
end
