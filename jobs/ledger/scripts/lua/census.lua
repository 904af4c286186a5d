-- Has one worker at a time count the open consignments of an account, and notes what it has counted.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 '' to ask whether it is time to count, else the count  4 ms after which it is counted
--       again  5 ms for which whoever was told to count is waited for
-- Answer  1 where the caller is to count, or the count is noted; else 0
-- Keeps  a count is noted with the time at which it was noted (shared/guards.lua has who reads it).
if ARGV[3] ~= '' then
  call('HSET', K.state, 'open_count', ARGV[3] .. ' ' .. ms(NOW))
  return 1
end
local h = call('HMGET', K.state, 'open_count', 'open_asked')
local at = tonumber(string.match(h[1] or '', ' (%d+)$') or 0)
if NOW - at < tonumber(ARGV[4]) or NOW - tonumber(h[2] or 0) < tonumber(ARGV[5]) then return 0 end
call('HSET', K.state, 'open_asked', ms(NOW))
return 1
