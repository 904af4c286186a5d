-- Lets all accounts go on, unless a live worker sees its stop file.
-- KEYS  the ledger's and an account's (shared/keys.lua)
-- ARGV  1 prefix  2 any account
-- Answer  '', or where the stop file is for which they stay stopped
-- Keeps  accounts and jobs that were paused on their own stay so.
local file = stop_all.seen()
if file then return file end
stop_all.finish()
return ''
