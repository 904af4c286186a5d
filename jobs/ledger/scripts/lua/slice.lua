-- Does one slice of a job's work that could be too long for one script: it writes the results of malformed lines, and
-- of references that are still queued when the job is aborted or its deadline has passed; and it moves groups to their
-- new place when its priority or deadline was changed.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job, or '' for the one that waits longest  4 references at most
-- Answer  {job or '', 1 where more slices are left}
-- Keeps  references that were never sent get their result; those that may have been sent go to a read; each exactly
-- once. The cost of a piece and of a malformed line besides its references, in references (measured by
-- bench/scripts.py).
local PIECE_COST, LINE_COST = 4, 5
local id, budget = ARGV[3], tonumber(ARGV[4])
if id == '' then id = call('ZRANGE', K.slices, 0, 0)[1] end
if not id or not call('ZSCORE', K.slices, id) then return { id or '', 0 } end
local jk = K.job(id)
kinds.job(id)

while budget > 0 do
  local packed = call('LPOP', K.job_invalid(id))
  if not packed then break end
  local e = cjson.decode(packed)
  result.write(id, e.text, 1, { outcome = 'invalid', message = e.message }, 0)
  call('HINCRBY', jk, 'invalid_left', -1)
  budget = budget - LINE_COST
end
if budget > 0 then budget = budget - group.move(id, budget) end

local whole = false -- whether every piece was seen
if job.ending(id) then
  canary.release(id)
  order.leave(id, 'calls')
  while budget > 0 do
    local text = call('LPOP', K.job_calls(id))
    if not text then break end
    local p = piece.decode(text)
    call('HINCRBY', jk, 'calls', -p.c)
    job.put_back(id, p, 'calls', 0, false)
    budget = budget - p.c - PIECE_COST
  end
  for _, field in ipairs(call('HKEYS', K.job_alone(id))) do
    if budget <= 0 then break end
    local p = group.take(id, field)
    group.forget(id, field)
    job.put_back(id, p, 'alone', 0, false)
    budget = budget - p.c - PIECE_COST
  end
  -- Pieces that wait for a call end here. Those that become reads keep waiting as reads.
  while budget > 0 do
    local page = call('HSCAN', K.job_later(id), call('HGET', jk, 'slice_cursor') or '0', 'COUNT', 5)
    for i = 1, #page[2], 2 do
      local p = piece.decode(page[2][i + 1])
      if p.k ~= 'reads' then
        call('HDEL', K.job_later(id), page[2][i])
        call('ZREM', K.later, id .. ':' .. page[2][i])
        call('HINCRBY', jk, 'later', -p.c)
        p.k, p.g = nil, nil
        job.put_back(id, p, 'calls', 0, false)
      end
      budget = budget - p.c - PIECE_COST
    end
    call('HSET', jk, 'slice_cursor', page[1])
    if page[1] == '0' then
      whole = true
      break
    end
  end
end
local more = 0
if budget <= 0 and not whole then
  more = 1
else
  call('ZREM', K.slices, id)
end
result.sample(id)
job.finish_when_done(id)
return { id, more }
