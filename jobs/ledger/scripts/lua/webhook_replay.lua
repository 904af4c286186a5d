-- Sends deliveries of an endpoint of webhooks once more.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 endpoint  4 'failed' for all that were given up, or one delivery
-- Answer  how many are sent; -1 where there is no such endpoint, -2 no such delivery
local id = ARGV[3]
kinds.webhook(id)
if not call('ZSCORE', K.webhooks, id) then return -1 end
if ARGV[4] ~= 'failed' then
  if not call('ZSCORE', K.webhook_log(id), ARGV[4]) then return -2 end
  webhook.wait(id, ARGV[4], NOW)
  return 1
end
local count = 0
for _, name in ipairs(call('ZRANGE', K.webhook_log(id), 0, -1)) do
  if webhook.read(id, name).state == 'failed' then
    webhook.wait(id, name, NOW)
    count = count + 1
  end
end
return count
