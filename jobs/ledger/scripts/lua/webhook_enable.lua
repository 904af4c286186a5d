-- Enables an endpoint of webhooks: what waits for it is due now, and begins its attempts anew.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 endpoint
-- Answer  1, or 0 where there is none
-- Keeps  it goes on where it stopped: what came meanwhile is told, as far as it is kept.
local id = ARGV[3]
kinds.webhook(id)
if not call('ZSCORE', K.webhooks, id) then return 0 end
call('HSET', K.webhook(id), 'state', 'enabled', 'failures', 0)
call('HDEL', K.webhook(id), 'why', 'failing_since')
for _, name in ipairs(call('ZRANGE', K.webhook_due(id), 0, -1)) do
  webhook.wait(id, name, NOW)
end
return 1
