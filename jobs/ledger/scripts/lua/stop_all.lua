-- Stops all accounts: no more references are claimed, and staged claims do not start.
-- KEYS  the ledger's and an account's (shared/keys.lua)
-- ARGV  1 prefix  2 any account  3 by whom  4 why
-- Answer  1, or 0 where they were stopped before: then that stop stays as it is
-- Keeps  the versions of all gates rise, so that every worker releases its staged claims.
return stop_all.begin(ARGV[3], ARGV[4])
