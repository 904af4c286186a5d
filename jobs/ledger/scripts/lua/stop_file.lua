-- Notes the stop file that a worker sees, and stops all accounts for it.
-- KEYS  the ledger's and an account's (shared/keys.lua)
-- ARGV  1 prefix  2 any account  3 worker  4 where the file is, '' where there is none  5 by whom  6 why
-- Answer  1 where this has stopped all accounts, else 0
-- Keeps  no accounts go on by this, and none can while a live worker sees a file.
stop_all.note(ARGV[3], ARGV[4])
return ARGV[4] ~= '' and stop_all.begin(ARGV[5], ARGV[6]) or 0
