-- Seals a job: it is whole, visible and claimable from here on. The same step binds the idempotency key and, for a job
-- of the intake stream, acknowledges and deletes the entry. So neither a repeated request nor a redelivered entry makes
-- a second job.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job  4 nonce  5 total  6 duplicates  7 malformed
--       8 idempotency key or ''  9 digest of the content  10 ms to keep the key
--       11 intake group or ''  12 intake entry or ''  13 references a call
--       14 the name that the intake entry is to be answered under, or ''
--       15 for an intake entry: JSON of the texts of a refusal by a guard (seal.refuse), else ''
--       16 JSON {name, host, named?, content, count} of the plan that the job follows (shared/plans.lua), or ''
-- Answer  {'sealed', job, state, drain, drain, ...}: the drains that the caller is to enqueue
--         {'same', job, state}: the key is bound to that job, with this content; ours is dropped
--         {'conflict', job}: the key is bound to that job, with other content; ours is dropped
--         {'stale_plan', why}: the job is not what was planned; it is dropped, the key stays free
--         {'refused', what it passes}: a guard refuses it (shared/guards.lua); ours is dropped, the key stays free
--         {'taken'}: the intake entry was sealed by another reader; ours is dropped
--         {'gone'}: no such unsealed job (dropped after an hour without a batch)
-- A job that is a retry (retry_of) is named in the job whose references it has (retried_by).
-- Keeps  a key is bound to one job; an intake entry makes one job; a plan is used by one job; sealing again gets the
--        same answer.
local id = ARGV[3]
local jk = K.job(id)
local REMEMBERED_MS = 3600000

-- Drops the submission, and keeps the answer for a repeated request.
local function drop(answer)
  seal.drop(id)
  call('SET', K.done('seal:' .. ARGV[4]), cjson.encode({ v = FORMAT, answer = answer }), 'PX', REMEMBERED_MS)
  return answer
end

local h = call('HMGET', jk, 'nonce', 'state', 'start_at', 'deadline', 'calls', 'invalid_left', 'retry_of', 'guard',
  'overridden_by', 'hold')
if not h[1] then
  local first = call('GET', K.done('seal:' .. ARGV[4]))
  return first and cjson.decode(first).answer or { 'gone' }
end
if h[1] ~= ARGV[4] then return { 'gone' } end
if h[2] ~= 'sealing' then
  local again = { 'sealed', id, h[2] }
  for _, name in ipairs(job.drains_wanted(tonumber(ARGV[13]))) do again[#again + 1] = name end
  return again
end
local planned = (ARGV[16] or '') ~= '' and cjson.decode(ARGV[16]) or nil
local stale = planned and plan.refusal(planned)
seal.may_seal(id, {
  key = ARGV[8], plan = planned and planned.name, entry = ARGV[12], reply_to = ARGV[14], done = 'seal:' .. ARGV[4],
  start_at = h[3], deadline = h[4], hold = h[10], guard = h[8], valid = tonumber(h[5] or 0), invalid = tonumber(h[6] or 0),
})
if h[7] then kinds.look('HLEN', K.job(h[7])) end
local holder, same = seal.bound(ARGV[8], ARGV[9], id)
local given = {}
if ARGV[11] ~= '' then
  seal.answerable(ARGV[14])
  -- fails here, before the entry is taken, if it cannot be answered
  if ARGV[8] ~= '' or planned or guard.any(h[8] or '') then call('XLEN', K.rejected) end
  if call('XACK', K.intake, ARGV[11], ARGV[12]) == 0 then
    return drop({ 'taken' }) -- if only its group is gone, the entry is still there and is given to a reader again
  end
  given = seal.take(ARGV[12])
end
if holder then
  if not same then
    if ARGV[11] ~= '' then seal.reject(ARGV[12], given, 'idempotency_conflict', seal.conflict(holder), ARGV[14]) end
    return drop({ 'conflict', holder })
  end
  seal.reply(ARGV[14], ARGV[12], 'job', holder)
  return drop({ 'same', holder, call('HGET', K.job(holder), 'state') or 'completed' })
end
if stale then
  if ARGV[11] ~= '' then seal.reject(ARGV[12], given, 'stale_plan', stale, ARGV[14]) end
  return drop({ 'stale_plan', stale })
end
local verdict = guard.at_seal(h[8] or '', tonumber(h[5] or 0), h[9])
if verdict and verdict.refused then
  if ARGV[11] ~= '' then seal.refuse(ARGV[12], given, verdict.why, cjson.decode(ARGV[15]), ARGV[14]) end
  return drop({ 'refused', verdict.why })
end
if planned then plan.use(planned, id) end
seal.bind(ARGV[8], ARGV[9], id, ARGV[10])
call('ZREM', K.unsealed, id)
if ARGV[12] ~= '' then
  call('HSET', jk, 'entry', ARGV[12])
  audit.enqueued(id, ARGV[12])
  seal.reply(ARGV[14], ARGV[12], 'job', id)
end
call('HDEL', jk, 'guard')
call('HSET', jk, 'total', ARGV[5], 'duplicates', ARGV[6], 'invalid', ARGV[7])
if h[7] then seal.link(id, h[7]) end
local answer = { 'sealed', id, seal.enter(id, {
  start_at = tonumber(h[3]), deadline = tonumber(h[4]), valid = tonumber(h[5] or 0), invalid = tonumber(h[6] or 0),
  digest = ARGV[9], guard = h[8] or nil, verdict = verdict,
}) }
seal.announce()
for _, name in ipairs(job.drains_wanted(tonumber(ARGV[13]))) do answer[#answer + 1] = name end
return answer
