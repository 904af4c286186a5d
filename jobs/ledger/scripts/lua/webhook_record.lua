-- Records an attempt of a delivery.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 endpoint  4 delivery  5 attempts before this one
--       6 'delivered' | 'failed' | 'gone'  7 HTTP status or ''  8 why it failed
--       9 ms until the next attempt, -1 to give it up, '' to leave it as it is planned (a probe)
--       10 failures in a row of an endpoint that is failing  11 ms of failing after which it is disabled
--       12 most deliveries that it keeps
-- Answer  the endpoint's state, or '' where there is nothing to record: it is removed, or this was recorded before
-- Keeps  an attempt is recorded once; what waits goes on waiting while the endpoint is disabled.
local id, name, word = ARGV[3], ARGV[4], ARGV[6]
kinds.webhook(id)
local key = K.webhook(id)
if not call('ZSCORE', K.webhook_due(id), name) then return '' end
local doc = webhook.read(id, name)
if doc.tries ~= tonumber(ARGV[5]) then return '' end
doc.tries, doc.at, doc.status, doc.why = doc.tries + 1, NOW, tonumber(ARGV[7]), ARGV[8]
call('HSET', key, 'tried_at', ms(NOW))

local function done(state)
  doc.state = state
  call('ZREM', K.webhook_due(id), name)
  call('HINCRBY', key, state, 1)
end

if word == 'delivered' then
  doc.why = nil
  done('delivered')
  if tonumber(call('HGET', key, 'failures') or 0) >= tonumber(ARGV[10]) then
    for _, waiting in ipairs(call('ZRANGE', K.webhook_due(id), 0, -1)) do
      call('ZADD', K.webhook_due(id), ms(NOW), waiting)
    end
  end
  call('HSET', key, 'failures', 0, 'delivered_at', ms(NOW))
  call('HDEL', key, 'failing_since')
else
  call('HINCRBY', key, 'failures', 1)
  call('HSETNX', key, 'failing_since', ms(NOW))
  if word == 'gone' then
    call('HSET', key, 'state', 'disabled', 'why', ARGV[8])
  elseif ARGV[9] == '-1' then
    done('failed')
  elseif ARGV[9] ~= '' then
    doc.attempts = doc.attempts + 1
    call('ZADD', K.webhook_due(id), ms(NOW + tonumber(ARGV[9])), name)
  end
  if word == 'failed' and NOW - tonumber(call('HGET', key, 'failing_since')) >= tonumber(ARGV[11]) then
    call('HSET', key, 'state', 'disabled', 'why', 'nothing was delivered for 5 days; last: ' .. ARGV[8])
  end
end
webhook.write(id, name, doc)
webhook.forget(id, tonumber(ARGV[12]))
return call('HGET', key, 'state')
