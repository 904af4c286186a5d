-- Sweeps an account: every worker does it once a second, and several may do it at the same time.
-- Takes over claims whose lease has passed, makes due pieces ready, starts held jobs, aborts jobs whose approval has
-- lapsed, sends jobs past their deadline to
-- slice.lua, drops submissions that were never sealed, and names drains to enqueue. If nobody swept for a while, the
-- server was away and not the workers: then leases are extended first, so that live workers can renew them.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account
--       3 JSON {worker, lease, call_timeout, attempts, unsealed, per_call, stop, hold, canary, canary_above, host, sandbox,
--         guard?, snapshot?, bare?, deallocates?}: the worker's id; ms of a lease; ms for which a dead worker's call may still act; attempts
--         after which a reference is only read; ms for which an unsealed job is kept; references a call; the failure stop
--         of all jobs (shared/failure_stop.lua) or ''; ms for which all jobs are held; the canary of all jobs with more
--         references than that; the host that this worker calls, and whether it is a sandbox; the guard of all jobs
--         (shared/guards.lua); 1 where the record of each reference is kept before its call; 1 where this
--         worker can keep none; 1 where calls begin with a deallocation, which a dead worker may have made
-- Answer  {more, taken over, sliceable, unkept, drain, ...}: more is 1 where another sweep is due at once; claims taken
--         over; jobs that wait for slice.lua; a job that waits since no live worker can keep records, or ''
-- Keeps  at most 2,000 references a run; a claim is taken over once; its references are marked as maybe sent.
local doc = cjson.decode(ARGV[3])
local PAGE = 100
local more, taken, budget = 0, 0, 1000
call('ZADD', K.workers, ms(NOW), doc.worker)
call('ZADD', K.served, ms(NOW), ACCOUNT)
hosts.note(doc.worker, doc.host, doc.sandbox, doc.bare)
safeguards.note(doc.worker, doc)
lease.stretch_when_away(doc.lease)
call('HSET', K.state, 'swept_at', ms(NOW))

local lapsed = call('ZRANGEBYSCORE', K.claims, '-inf', ms(NOW), 'LIMIT', 0, PAGE)
for _, id in ipairs(lapsed) do
  if budget <= 0 then
    more = 1
    break
  end
  local parts, kind, probe = claim.close(id)
  local g = kind == 'alone' and group.new() or nil
  for i = #parts - 1, 1, -2 do
    local p = piece.decode(parts[i + 1])
    budget = budget - p.c
    call('HINCRBY', K.job(parts[i]), 'claimed', -p.c)
    if kind ~= 'reads' then
      p.a, p.n, p.m = p.a + (probe and 0 or 1), p.n + 1, math.max(p.m, NOW + doc.call_timeout)
      p.l = NOW
      p.d = p.d or doc.deallocates
    else
      p.r = (p.r or 0) + 1
    end
    if kind ~= 'reads' and p.a >= doc.attempts then
      p.r = 0
      job.put_back(parts[i], p, 'reads', p.m, false)
    else
      job.put_back(parts[i], p, kind, 0, true, g)
    end
    job.finish_when_done(parts[i])
  end
  taken = taken + 1
end
job.promote(math.min(500, 2000 - (1000 - budget)))

local held = call('ZRANGEBYSCORE', K.held, '-inf', ms(NOW), 'LIMIT', 0, PAGE)
for _, id in ipairs(held) do
  call('ZREM', K.held, id)
  local state = call('HGET', K.job(id), 'state')
  -- It is meant for another host (stop.elsewhere).
  if state == 'aborting' then order.enter(id, 'reads') elseif order.runnable(state, 'calls') then order.enter_all(id) end
  if state == 'held' and not approval.lacks(id) then
    call('HSET', K.job(id), 'state', 'queued')
    order.enter_all(id)
    order.announce(id)
  end
end
local lapses = call('ZRANGEBYSCORE', K.approvals, '-inf', ms(NOW), 'LIMIT', 0, PAGE)
for _, id in ipairs(lapses) do
  call('ZREM', K.approvals, id)
  local state = call('HGET', K.job(id), 'state')
  if (state == 'held' or state == 'paused') and approval.lacks(id) then
    local why = 'it was not approved in time'
    call('HSET', K.job(id), 'aborted_why', why)
    job.abort(id)
    audit.noted('abort', id, why)
  end
end
local passed = call('ZRANGEBYSCORE', K.deadlines, '-inf', ms(NOW), 'LIMIT', 0, PAGE)
for _, id in ipairs(passed) do
  call('ZREM', K.deadlines, id)
  order.leave(id, 'calls')
  call('ZADD', K.slices, ms(NOW), id)
end
for _, id in ipairs(call('ZRANGEBYSCORE', K.unsealed, '-inf', ms(NOW - doc.unsealed), 'LIMIT', 0, 10)) do
  seal.drop(id)
end
if #lapsed == PAGE or #held == PAGE or #lapses == PAGE or #passed == PAGE then more = 1 end
local unkept = doc.bare and hosts.all_bare() and safeguards.first_unkept() or ''
local answer = { more, taken, call('ZCARD', K.slices), unkept }
for _, name in ipairs(job.drains_wanted(doc.per_call)) do answer[#answer + 1] = name end
return answer
