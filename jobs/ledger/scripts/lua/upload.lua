-- Keeps an idempotency key for a submission whose references are still on their way, so that no second one begins; or
-- gives it free.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 idempotency key  4 nonce of the upload  5 ms to keep it, 0 to give it free
-- Answer  1, or 0 where another upload has it
-- Keeps  one upload has a key at a time; who says nothing any more loses it when its time has passed.
local holder = call('GET', K.upload(ARGV[3]))
if holder and holder ~= FORMAT .. ' ' .. ARGV[4] then return 0 end
if ARGV[5] == '0' then
  call('UNLINK', K.upload(ARGV[3]))
else
  call('SET', K.upload(ARGV[3]), FORMAT .. ' ' .. ARGV[4], 'PX', ARGV[5])
end
return 1
