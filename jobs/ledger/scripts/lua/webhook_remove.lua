-- Removes an endpoint of webhooks with all its deliveries.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 endpoint
-- Answer  1, or 0 where there is none
local id = ARGV[3]
call('UNLINK', K.webhook(id), K.webhook_due(id), K.webhook_log(id), K.webhook_deliveries(id), K.webhook_bodies(id))
return call('ZREM', K.webhooks, id)
