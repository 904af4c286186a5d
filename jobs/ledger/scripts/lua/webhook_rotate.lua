-- Gives an endpoint of webhooks its next secret.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 endpoint  4 version of its secret so far  5 fingerprint of the next
-- Answer  1; 0 where somebody else has rotated it; -1 where there is none
-- Keeps  rotating again from the same version to the same secret changes nothing.
local h = call('HMGET', K.webhook(ARGV[3]), 'version', 'fingerprint')
if not h[1] then return -1 end
if h[1] == ARGV[4] then
  call('HSET', K.webhook(ARGV[3]), 'version', tonumber(ARGV[4]) + 1, 'fingerprint', ARGV[5], 'rotated_at', ms(NOW))
  return 1
end
return (tonumber(h[1]) == tonumber(ARGV[4]) + 1 and h[2] == ARGV[5]) and 1 or 0
