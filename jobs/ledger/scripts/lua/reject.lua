-- Answers an intake entry that cannot become a job with the reason, and takes it off the intake stream.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 intake group  4 entry  5 the name that the entry is to be answered under, or ''
--       6 the reason  7 its code  8.. field-value pairs of the answer
-- Answer  1, or 0 where another reader has finished the entry
-- Keeps  an entry gets one answer, and one under its name; it leaves the stream only with them.
call('XLEN', K.rejected) -- fails here, before the entry is taken, if it cannot be answered
local owned = call('XACK', K.intake, ARGV[3], ARGV[4])
if owned == 0 then return 0 end
call('XDEL', K.intake, ARGV[4])
call('XADD', K.rejected, 'MAXLEN', '~', REJECTED_KEPT, '*', unpack(ARGV, 8))
seal.reply(ARGV[5], ARGV[4], 'error', ARGV[7], 'message', ARGV[6])
return 1
