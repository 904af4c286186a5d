-- Registers an endpoint of webhooks. What ends or is written from here on is told.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 endpoint  4 most endpoints  5... field, value, ... of its record
-- Answer  1, or 0 where there are too many
-- Keeps  adding again with the same id changes nothing.
local id = ARGV[3]
if call('ZSCORE', K.webhooks, id) then return 1 end
if call('ZCARD', K.webhooks) >= tonumber(ARGV[4]) then return 0 end
local last = call('XREVRANGE', K.results, '+', '-', 'COUNT', 1)[1]
call('HSET', K.webhook(id), 'v', FORMAT, 'state', 'enabled', 'version', 1, 'created_at', ms(NOW),
  'ended_seen', call('HGET', K.totals, 'ended') or 0, 'results_seen', last and last[1] or '0-0',
  'receipts_seen', string.match(call('GET', K.receipts_head()) or '0', '^%d+'),
  unpack(ARGV, 5))
call('ZADD', K.webhooks, ms(NOW), id)
return 1
