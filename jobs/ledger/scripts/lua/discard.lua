-- Drops a submission that will not be sealed.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job  4 nonce of the submission
-- Answer  1, or 0 where there is no such unsealed job
-- Keeps  a sealed job stays, and so does a job of another submission.
local h = call('HMGET', K.job(ARGV[3]), 'nonce', 'state')
if h[1] ~= ARGV[4] or h[2] ~= 'sealing' then return 0 end
seal.drop(ARGV[3])
return 1
