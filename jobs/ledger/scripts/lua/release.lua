-- Releases claims of a live worker that were not sent. Their references return to the front of the queue; they burn no
-- attempt, and are not marked as maybe sent.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 JSON {claims [id], give [slot], remember}: at most 2,000 references in all; ms for
--         which a late request for one of these claims is recognised
-- Answer  the number of claims released
-- Keeps  a claim without a record is skipped, so this can be sent twice.
local doc = cjson.decode(ARGV[3])
for _, slot in ipairs(doc.give) do call('ZREM', K.slots, slot) end
local count = 0
for _, id in ipairs(doc.claims) do
  local parts, kind = claim.close(id)
  if parts then
    lists.give_back(id)
    local g = kind == 'alone' and group.new() or nil
    call('SET', K.done(id), FORMAT .. ' released', 'PX', doc.remember)
    count = count + 1
    for i = #parts - 1, 1, -2 do
      local p = piece.decode(parts[i + 1])
      call('HINCRBY', K.job(parts[i]), 'claimed', -p.c)
      job.put_back(parts[i], p, kind, 0, true, g)
      job.finish_when_done(parts[i])
    end
  end
end
if count > 0 then call('PUBLISH', WAKE, ACCOUNT .. (order.class_of(K.calls) == 0 and ' first' or '')) end
return count
