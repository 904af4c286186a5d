-- Notes that a person has confirmed a host of a platform: from now on calls may go there.
-- KEYS  the ledger's and an account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 host  4 by whom
-- Answer  1
-- Keeps  a host that is confirmed stays so.
hosts.confirm(ARGV[3], ARGV[4])
call('PUBLISH', WAKE, ACCOUNT)
return 1
