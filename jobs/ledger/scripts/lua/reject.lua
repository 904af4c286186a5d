-- Answers an intake entry that cannot become a job with the reason, and takes it off the intake stream.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 intake group  4 entry  5.. field-value pairs of the answer
-- Answer  1, or 0 where another reader has finished the entry
-- Keeps  an entry gets one answer, and leaves the stream only with it.
call('XLEN', K.rejected) -- fails here, before the entry is taken, if it cannot be answered
local owned = call('XACK', K.intake, ARGV[3], ARGV[4])
if owned == 0 then return 0 end
call('XDEL', K.intake, ARGV[4])
call('XADD', K.rejected, 'MAXLEN', '~', REJECTED_KEPT, '*', unpack(ARGV, 5))
return 1
