-- Creates and seals many small jobs of the intake stream in one step.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 intake group  4 ms to keep idempotency keys  5 references a call
--       6 JSON of the texts of a refusal by a guard (seal.refuse)
--       7.. one JSON document an entry, at most 2,000 references in all:
--       {entry, job, fields {name: value}, calls [packed chunk], invalid [packed], total, valid, duplicates,
--        malformed, key, digest, start_at?, deadline?, reply_to?, plan?}; reply_to: the name that it is to be answered
--        under; plan: {name, host, named?, content, count} of the plan that it follows (shared/plans.lua)
-- Answer  {drain count, drains..., then one word an entry: 'sealed' | 'same' | 'conflict' | 'refused' | 'stale_plan' |
--         'taken' |
--         'clash' where another job has that id: try it with another}
-- Keeps  an entry makes at most one job, and gets one answer, however many readers hold it and however often this is
--        sent. If the group was
--        destroyed, the entry stays in the stream and is given to a reader again.
local REMEMBERED_MS = 3600000
local answers = {}
local sealed = false
call('SADD', K.accounts, ACCOUNT)
for at = 7, #ARGV do
  local e = cjson.decode(ARGV[at])
  -- fails here, before the entry is taken, if it cannot be answered
  if e.key ~= '' or e.plan or guard.any(e.fields.guard) then call('XLEN', K.rejected) end
  seal.may_seal(e.job, {
    key = e.key, plan = e.plan and e.plan.name, entry = e.entry, reply_to = e.reply_to, done = 'entry:' .. e.entry,
    start_at = e.start_at, deadline = e.deadline, hold = e.fields.hold, guard = e.fields.guard, valid = e.valid,
    invalid = e.malformed,
  })
  local holder, same = seal.bound(e.key, e.digest, e.job)
  local word
  local stale = e.plan and plan.refusal(e.plan)
  local first = call('GET', K.done('entry:' .. e.entry))
  local made = call('HMGET', K.job(e.job), 'entry', 'state')
  if made[2] then
    word = made[1] == e.entry and 'sealed' or 'clash'
  elseif first then
    word = string.match(first, '^%S+ (%S+)')
  elseif call('XACK', K.intake, ARGV[3], e.entry) == 0 then
    word = 'taken'
  else
    local given = seal.take(e.entry)
    local verdict = not holder and not stale and guard.at_seal(e.fields.guard, e.valid) or nil
    if holder and not same then
      seal.reject(e.entry, given, 'idempotency_conflict', seal.conflict(holder), e.reply_to)
      word = 'conflict'
    elseif holder then
      seal.reply(e.reply_to, e.entry, 'job', holder)
      word = 'same'
    elseif stale then
      seal.reject(e.entry, given, 'stale_plan', stale, e.reply_to)
      word = 'stale_plan'
    elseif verdict and verdict.refused then
      seal.refuse(e.entry, given, verdict.why, cjson.decode(ARGV[6]), e.reply_to)
      word = 'refused'
    else
      seal.bind(e.key, e.digest, e.job, ARGV[4])
      if e.plan then plan.use(e.plan, e.job) end
      local jk = K.job(e.job)
      local pairs_ = { 'v', FORMAT, 'account', ACCOUNT, 'created_at', ms(NOW), 'total', e.total, 'duplicates', e.duplicates,
        'invalid', e.malformed, 'calls', e.valid, 'invalid_left', e.malformed, 'entry', e.entry }
      for name, value in pairs(e.fields) do
        if name ~= 'guard' then
          pairs_[#pairs_ + 1] = name
          pairs_[#pairs_ + 1] = value
        end
      end
      call('HSET', jk, unpack(pairs_))
      call('ZADD', K.jobs, ms(NOW), e.job)
      call('ZADD', K.open, ms(NOW), e.job)
      if #e.calls > 0 then call('RPUSH', K.job_calls(e.job), unpack(e.calls)) end
      if #e.invalid > 0 then call('RPUSH', K.job_invalid(e.job), unpack(e.invalid)) end
      seal.enter(e.job, { start_at = e.start_at, deadline = e.deadline, valid = e.valid, invalid = e.malformed,
        digest = e.digest, guard = e.fields.guard, verdict = verdict })
      seal.reply(e.reply_to, e.entry, 'job', e.job)
      audit.enqueued(e.job, e.entry)
      sealed = true
      word = 'sealed'
    end
    if word ~= 'sealed' then call('SET', K.done('entry:' .. e.entry), FORMAT .. ' ' .. word, 'PX', REMEMBERED_MS) end
  end
  answers[#answers + 1] = word
end
if sealed then seal.announce() end
local drains = job.drains_wanted(tonumber(ARGV[5]))
local answer = { #drains }
for _, name in ipairs(drains) do answer[#answer + 1] = name end
for _, word in ipairs(answers) do answer[#answer + 1] = word end
return answer
