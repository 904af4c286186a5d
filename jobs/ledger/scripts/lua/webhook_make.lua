-- Makes deliveries of an endpoint of webhooks, and notes in the same step how far events were taken in.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 endpoint  4 most deliveries that it keeps
--       5 'ended_seen', 'results_seen' or 'receipts_seen': the mark that moves; '' for none
--       6 where the mark stands  7 where it goes  8 ends of jobs that cannot be told any more
--       9... delivery, JSON of {type, job?}, body, ...
-- Answer  1; 0 where the mark has moved, the endpoint is disabled or gone: then nothing is changed
-- Keeps  an event is taken in once; what waits is never dropped.
local id, mark = ARGV[3], ARGV[5]
kinds.webhook(id)
local state = call('HGET', K.webhook(id), 'state')
if state ~= 'enabled' and (mark ~= '' or not state) then return 0 end
if mark ~= '' then
  if call('HGET', K.webhook(id), mark) ~= ARGV[6] then return 0 end
  call('HSET', K.webhook(id), mark, ARGV[7])
end
if ARGV[8] ~= '0' then call('HINCRBY', K.webhook(id), 'jobs_missed', ARGV[8]) end
for i = 9, #ARGV, 3 do
  local name = ARGV[i]
  if not call('ZSCORE', K.webhook_log(id), name) then
    call('ZADD', K.webhook_log(id), ms(NOW), name)
    local doc = cjson.decode(ARGV[i + 1])
    doc.v, doc.created, doc.tries = FORMAT, NOW, 0
    webhook.write(id, name, doc)
    call('HSET', K.webhook_bodies(id), name, ARGV[i + 2])
  end
  webhook.wait(id, name, NOW)
end
webhook.forget(id, tonumber(ARGV[4]))
return 1
