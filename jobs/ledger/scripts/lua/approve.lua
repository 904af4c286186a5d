-- Approves a job that waits for it, takes an approval back, or rejects the job.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job
--       4 JSON {act, by, count?, digest?, reason?}: act is 'approve', 'take_back' or 'reject'; who does it; what who
--         approves has seen: how many references and the digest of the content; why the job is rejected
--       5 references a call
-- Answer  {word, state, drain, ...}: the drains to enqueue
--         'done'      it is as was asked for, now or before
--         'state'     the job has ended or started, or it waits for no approval
--         'own'       who approves has handed it in     'mismatch'  it is another count or digest
--         'lapsed'    it was not approved in time       'none'      there is no approval to take back
-- Keeps  each person approves once, and nobody their own job; a job starts only once it has all that it needs. Names that
--        differ in the case of letters alone are one person's: a proxy may pass a name on as it was typed.
local id, doc = ARGV[3], cjson.decode(ARGV[4])
local jk = K.job(id)
kinds.job(id)
local h = call('HMGET', jk, 'state', 'approvals_wanted', 'submitted_by', 'total', 'invalid', 'digest', 'approval_until')
local state = h[1] or ''
if not h[2] or not (state == 'held' or state == 'queued' or state == 'paused') then return { 'state', state } end
if call('HEXISTS', jk, 'started_at') == 1 then return { 'state', state } end

-- Whether it is the same person. Who signs in by two ways may be written with other letters.
local function same(name) return name and string.lower(name) == string.lower(doc.by) end

local given, own = approval.given(id)
for at, one in ipairs(given) do
  if same(one.by) then own = at end
end

local function answer(word)
  local found = { word, state }
  for _, name in ipairs(job.drains_wanted(tonumber(ARGV[5]))) do found[#found + 1] = name end
  return found
end

-- Writes the approvals, and has the job go on or wait, unless it is paused.
local function write()
  call('HSET', jk, 'approvals', #given > 0 and cjson.encode(given) or '[]')
  if state == 'queued' then order.leave_all(id) end
  if state == 'paused' then
    if approval.lacks(id) then approval.wait(id) else call('ZREM', K.approvals, id) end
    return
  end
  state = approval.go_on(id)
  order.enter_all(id)
  if state == 'queued' then order.announce(id) end
end

if doc.act == 'reject' then
  call('HSET', jk, 'rejected_by', doc.by, 'rejected_at', ms(NOW), 'reject_reason', doc.reason,
    'aborted_why', 'rejected by ' .. doc.by .. ': ' .. doc.reason)
  job.abort(id)
  return { 'done', 'aborting' }
end
if doc.act == 'take_back' then
  if not own then return { 'none', state } end
  table.remove(given, own)
  write()
  return answer('done')
end
if same(h[3]) then return { 'own', state } end
if doc.count ~= tonumber(h[4]) - tonumber(h[5] or 0) or doc.digest ~= (h[6] or '') then return { 'mismatch', state } end
if own then return answer('done') end
if not approval.lacks(id) then return { 'state', state } end
if tonumber(h[7]) <= NOW then return { 'lapsed', state } end
given[#given + 1] = { by = doc.by, at = NOW }
write()
return answer('done')
