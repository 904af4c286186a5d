-- Gives claims back unsent, by the live worker that holds them: nothing is marked, no attempt is burnt, and their
-- references stand at the front again.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 JSON {claims [id], give [slot], remember}: at most 2,000 references in all; for how long a
--         belated request for one of these claims is recognised (ms)
-- Answer  the number of claims given back
-- Keeps  a claim that is not on the books is passed over, so that this can be sent twice.
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
