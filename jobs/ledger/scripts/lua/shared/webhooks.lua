-- Deliveries of webhooks: what each is, in JSON, and when it is due.
--   v, type, job?, created ms, state 'waiting' | 'delivered' | 'failed', tries: all attempts
--   attempts: failures that count for the schedule   at ms, status?, why?: of the last attempt
local webhook = {}

function webhook.read(id, name) return cjson.decode(call('HGET', K.webhook_deliveries(id), name)) end

function webhook.write(id, name, doc) call('HSET', K.webhook_deliveries(id), name, cjson.encode(doc)) end

-- Has a delivery wait until then, with its attempts before it.
function webhook.wait(id, name, due)
  local doc = webhook.read(id, name)
  doc.state, doc.attempts = 'waiting', 0
  webhook.write(id, name, doc)
  call('ZADD', K.webhook_due(id), ms(due), name)
end

-- Forgets the oldest deliveries above so many; never one that waits.
function webhook.forget(id, most)
  local excess = call('ZCARD', K.webhook_log(id)) - most
  if excess <= 0 then return end
  for _, name in ipairs(call('ZRANGE', K.webhook_log(id), 0, -1)) do
    if not call('ZSCORE', K.webhook_due(id), name) then
      call('ZREM', K.webhook_log(id), name)
      call('HDEL', K.webhook_deliveries(id), name)
      call('HDEL', K.webhook_bodies(id), name)
      excess = excess - 1
      if excess == 0 then return end
    end
  end
end
