-- Results: one entry each in the results stream, the job's counters, and the run of entries in the job's index.
local result = {}

-- Writes a result for every reference of `refs`, which newlines separate. `verdict` has outcome and, where known,
-- status, message and state; `attempts` is the number of calls that named them.
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
