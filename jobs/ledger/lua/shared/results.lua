-- One entry per result in the results stream, the job's counters with it, and the run of entries in the job's index.
local result = {}
local SAMPLE_MS, SAMPLES = 1000, 12

-- Writes a result for every reference of a newline-joined list. `verdict` has outcome and, where known, status,
-- message and state; `attempts` is the number of calls that named them.
function result.write(id, refs, count, verdict, attempts)
  local first, last
  local status, outcome = verdict.status or '', verdict.outcome
  for ref in string.gmatch(refs, '[^\n]+') do
    if verdict.message and verdict.state then
      last = call('XADD', K.results, '*', 'job', id, 'reference', ref, 'outcome', outcome, 'status', status,
        'attempts', attempts, 'message', verdict.message, 'state', verdict.state)
    elseif verdict.message then
      last = call('XADD', K.results, '*', 'job', id, 'reference', ref, 'outcome', outcome, 'status', status,
        'attempts', attempts, 'message', verdict.message)
    elseif verdict.state then
      last = call('XADD', K.results, '*', 'job', id, 'reference', ref, 'outcome', outcome, 'status', status,
        'attempts', attempts, 'state', verdict.state)
    else
      last = call('XADD', K.results, '*', 'job', id, 'reference', ref, 'outcome', outcome, 'status', status,
        'attempts', attempts)
    end
    first = first or last
  end
  call('RPUSH', K.job_runs(id), first .. ' ' .. last)
  call('HINCRBY', K.job(id), 'outcome:' .. outcome, count)
  call('HINCRBY', K.job(id), 'settled', count)
  call('HINCRBY', K.totals, 'unsettled', -count)
end

-- Notes, at most once a second, how many results the job has: what its rate is reckoned from.
function result.sample(id)
  local h = call('HMGET', K.job(id), 'sampled_at', 'samples', 'settled')
  if NOW - tonumber(h[1] or 0) < SAMPLE_MS then return end
  local kept = {}
  for s in string.gmatch(h[2] or '', '[^ ]+') do kept[#kept + 1] = s end
  kept[#kept + 1] = ms(NOW) .. ':' .. (h[3] or '0')
  call('HSET', K.job(id), 'sampled_at', ms(NOW), 'samples', table.concat(kept, ' ', math.max(1, #kept - SAMPLES + 1)))
end
