-- Resumes a paused or halted job, or the whole account.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job, or '' for the account  4 references a call  5 '1' only if it is halted
-- Answer  {the present state, '' for an unknown job, drain, ...}: the drains to enqueue
-- Keeps  a job returns to its state before: held until its start, running if it had begun, else queued. The failure
--        stop of a halted job counts from here on. Jobs stay halted when their account is resumed.
local answer
if ARGV[3] == '' then
  local since = call('HGET', K.state, 'paused')
  if since then call('HSET', K.state, 'paused_from', since, 'paused_until', ms(NOW)) end
  call('HDEL', K.state, 'paused')
  call('PUBLISH', WAKE, ACCOUNT)
  answer = { 'running' }
else
  local id = ARGV[3]
  local h = call('HMGET', K.job(id), 'state', 'start_at', 'started_at', 'paused_at', 'hold_until')
  local state = h[1] or ''
  if state == 'halted' or (state == 'paused' and ARGV[5] ~= '1') then
    if state == 'halted' then
      stop.forgive(id)
      canary.go_on(id)
    end
    state = h[3] and 'running' or 'queued'
    local held = math.max(tonumber(h[2] or 0), tonumber(h[5] or 0))
    if not h[3] and held > NOW then state = 'held' end
    call('HSET', K.job(id), 'state', state)
    result.rest(id, h[4])
    if state == 'held' then call('ZADD', K.held, ms(held), id) end
    order.enter_all(id)
    order.announce(id)
  end
  answer = { state }
end
for _, name in ipairs(job.drains_wanted(tonumber(ARGV[4]))) do answer[#answer + 1] = name end
return answer
