-- Renews the leases of claims and slots, and the drain's place among the live ones.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 JSON {drain, live, lease, claims [id], slots [id]} (ms)
-- Answer  {gate, n, n lost claims, ..., lost slots ...}: those that are not on the books any more; the calls of such
--         claims must be closed, and no further call made with such slots
-- Keeps  only what is on the books is renewed: nothing comes back by renewal.
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
