-- Resumes a paused or halted job, or the whole account.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job, or '' for the account  4 references a call  5 '1' only if it is halted
-- Answer  {the present state, '' for an unknown job, drain, ...}: the drains to enqueue
-- Keeps  a job returns to its state before: held until its start or its approval, running if it had begun, else queued. The failure
--        stop of a halted job counts from here on. Jobs stay halted when their account is resumed.
if ARGV[3] ~= '' then kinds.job(ARGV[3]) end
local answer
if ARGV[3] == '' then
  local since = call('HGET', K.state, 'paused')
  if since then call('HSET', K.state, 'paused_from', since, 'paused_until', ms(NOW)) end
  call('HDEL', K.state, 'paused')
  call('PUBLISH', WAKE, ACCOUNT)
  answer = { 'running' }
else
  local id = ARGV[3]
  local h = call('HMGET', K.job(id), 'state', 'started_at', 'paused_at')
  local state = h[1] or ''
  if state == 'halted' or (state == 'paused' and ARGV[5] ~= '1') then
    if state == 'halted' then
      stop.forgive(id)
      canary.go_on(id)
    end
    if h[2] then
      state = 'running'
      call('HSET', K.job(id), 'state', state)
    else
      state = approval.go_on(id)
    end
    result.rest(id, h[3])
    order.enter_all(id)
    order.announce(id)
  end
  answer = { state }
end
for _, name in ipairs(job.drains_wanted(tonumber(ARGV[4]))) do answer[#answer + 1] = name end
return answer
