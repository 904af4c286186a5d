-- Renews the leases of claims and slots, and the drain's entry among the live drains.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 JSON {drain, live, lease, claims [id], slots [id]} (ms)
-- Answer  {gate, n, n lost claims, ..., lost slots ...}: lost are those that are no longer recorded. The calls of lost
--         claims must be closed, and lost slots must make no further call
-- Keeps  only recorded claims and slots are renewed; a renewal brings nothing back.
local doc = cjson.decode(ARGV[3])
local until_ms = ms(NOW + doc.lease)
call('ZADD', K.drains, ms(NOW + doc.live), doc.drain)
local answer, lost = { call('HGET', K.state, 'gate') or '0', 0 }, 0
for _, id in ipairs(doc.claims) do
  if call('ZSCORE', K.claims, id) then
    call('ZADD', K.claims, until_ms, id)
  else
    answer[#answer + 1] = id
    lost = lost + 1
  end
end
answer[2] = lost
for _, id in ipairs(doc.slots) do
  if call('ZSCORE', K.slots, id) then
    call('ZADD', K.slots, until_ms, id)
  else
    answer[#answer + 1] = id
  end
end
return answer
