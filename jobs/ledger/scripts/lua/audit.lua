-- Adds an entry to the audit log.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3... name, value, ...
-- Answer  the entry's id
call('XADD', K.audit(), '*', unpack(ARGV, 3))
