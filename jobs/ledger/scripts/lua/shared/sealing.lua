-- Seals: makes a job whole and visible.
local seal = {}
local REJECTED_KEPT, GIVEN_KEPT, GIVEN_LONGEST, GIVEN_MOST = 10000, 50, 1000, 4000
local REPLIES_KEPT, REPLIES_KEPT_S = 10000, 86400

-- Refuses the script where its user may not run a command on a key; each kind of key is asked for once. A script asks
-- at its start for the commands (scripts/required_commands.py), but rights also go by keys.
local seal_asked = {}
local function may(command, kind, key)
  if seal_asked[kind] then return end
  seal_asked[kind] = true
  if not redis.acl_check_cmd(command, key, '0', '0') then
    error({ err = "NOPERM this user has no permissions to run the '" .. string.lower(command) .. "' command on " .. key })
  end
end

local function may_all(command, kinds)
  for _, kind in ipairs(kinds) do may(command, kind, K[kind]) end
end

-- Refuses the script where it could not add references to a job.
function seal.may_add(id)
  may_all('ZADD', { 'jobs', 'open', 'unsealed' })
  may('SADD', 'accounts', K.accounts)
  may('HINCRBY', 'totals', K.totals)
  may('HSET', 'job', K.job(id))
  may('RPUSH', 'job_calls', K.job_calls(id))
  may('RPUSH', 'job_invalid', K.job_invalid(id))
  kinds.look('HLEN', K.job(id))
  kinds.look('LLEN', K.job_calls(id), K.job_invalid(id))
end

-- Refuses the script where it could not seal a job with all that this needs: before an entry is taken, or anything is
-- written. What a job does not need may be forbidden.
-- h: key, plan (its name or nil), entry ('' or nil for none), reply_to, done (the name of its answer that is kept),
-- deadline, start_at, hold, guard, invalid, valid.
function seal.may_seal(id, h)
  seal.may_add(id)
  may('SET', 'format', PREFIX .. 'format')
  may('SET', 'done', K.done(h.done))
  may('HSET', 'state', K.state)
  may_all('ZADD', { 'calls', 'drains' })
  local guarded = guard.any(h.guard or '')
  if (h.key or '') ~= '' then may('SET', 'idempotency', K.idempotency(h.key)) end
  if h.plan then may('SET', 'plan', K.plan(h.plan)) end
  if h.deadline then may('ZADD', 'deadlines', K.deadlines) end
  if h.invalid > 0 then may('ZADD', 'slices', K.slices) end
  if h.start_at or h.hold or safeguards.hold() > 0 then may('ZADD', 'held', K.held) end
  if guarded then may_all('ZADD', { 'approvals', 'held' }) end
  if call('ZCARD', K.webhooks) > 0 then may('ZADD', 'ended', K.ended) end
  if h.valid + h.invalid == 0 then may_all('ZADD', { 'finished', 'deadlines', 'held', 'approvals', 'slices' }) end
  if (h.entry or '') == '' then return end
  if (h.reply_to or '') ~= '' then may('XADD', 'replies', K.replies(h.reply_to)) end
  if (h.key or '') ~= '' or h.plan or guarded then may('XADD', 'rejected', K.rejected) end
end

-- Answers nil where the job's idempotency key is new or absent, else the job that it is bound to, and whether that job
-- has the same content.
function seal.bound(key, digest, id)
  local value = key and key ~= '' and call('GET', K.idempotency(key))
  if not value then return nil end
  local holder, content = string.match(value, '^%S+ (%S+) (%S+)')
  if holder == id then return nil end
  return holder, content == digest
end

-- Binds the job's idempotency key, where it has one.
function seal.bind(key, digest, id, keep_ms)
  if not key or key == '' then return end
  call('SET', K.idempotency(key), FORMAT .. ' ' .. id .. ' ' .. digest, 'NX', 'PX', keep_ms)
end

-- Reserves room for references of an unsealed job, so that other producers are not promised the same room.
function seal.reserve(id, count)
  call('HINCRBY', K.totals, 'unsealed', count)
  call('HINCRBY', K.job(id), 'reserved', count)
end

-- Frees that room: the job is sealed and counted as unsettled, or dropped.
local function unreserve(id)
  call('HINCRBY', K.totals, 'unsealed', 0 - tonumber(call('HGET', K.job(id), 'reserved') or 0))
  call('HDEL', K.job(id), 'reserved')
end

-- Until when the job is held: its own hold or its account's, whichever is longer, and its start. nil where it is not.
local function held_until(id, start_at)
  local hold = math.max(tonumber(call('HGET', K.job(id), 'hold') or 0), safeguards.hold())
  if hold > 0 then
    call('HSET', K.job(id), 'hold', ms(hold), 'hold_until', ms(NOW + hold))
    start_at = math.max(start_at or 0, NOW + hold)
  end
  return start_at and start_at > NOW and start_at or nil
end

-- Enters the job into its lists and its queue, and notes whether it goes before other jobs there.
-- h: start_at, deadline (ms or nil), valid, invalid, digest of the content, guard of who hands in or nil, verdict
-- (shared/guards.lua) or nil.
local overtakes = false
function seal.enter(id, h)
  call('SET', PREFIX .. 'format', FORMAT, 'NX') -- a server that was flushed meanwhile has lost the mark
  local held = held_until(id, h.start_at)
  guard.enter(id, h.valid, h.guard)
  local waits = approval.note(id, h.verdict)
  local state = (held or waits) and 'held' or 'queued'
  call('HSET', K.job(id), 'state', state, 'digest', h.digest)
  unreserve(id)
  stop.join(id)
  safeguards.keep_records(id)
  call('HINCRBY', K.totals, 'unsettled', h.valid + h.invalid)
  if h.deadline then call('ZADD', K.deadlines, ms(h.deadline), id) end
  if h.invalid > 0 then call('ZADD', K.slices, ms(NOW), id) end
  if held and not waits then call('ZADD', K.held, ms(held), id) end
  if state == 'queued' then
    order.enter(id, 'calls')
    overtakes = overtakes or order.first(id)
  end
  job.finish_when_done(id)
  return call('HGET', K.job(id), 'state')
end

-- Names a job in the job that it retries, unless that one's record is gone.
function seal.link(id, retried)
  local h = call('HMGET', K.job(retried), 'state', 'retried_by')
  if h[1] then call('HSET', K.job(retried), 'retried_by', (h[2] and h[2] .. ' ' or '') .. id) end
end

-- Takes an entry that this reader owns off the intake stream; answers its fields.
function seal.take(entry)
  local found = call('XRANGE', K.intake, entry, entry)[1]
  call('XDEL', K.intake, entry)
  return found and found[2] or {}
end

-- Fails where an entry that is still to be taken could not be answered under the name that it has asked for.
function seal.answerable(name)
  if name ~= '' then call('EXPIRE', K.replies(name), REPLIES_KEPT_S) end
end

-- Answers an intake entry under the name that it has asked for: the job that it became, or why it became none. Does
-- nothing where it has asked for none, or where the key of that name holds something else than a stream.
function seal.reply(name, entry, ...)
  if not name or name == '' then return end
  local key = K.replies(name)
  if type(redis.pcall('XLEN', key)) == 'table' then return end
  call('XADD', key, 'MAXLEN', '~', REPLIES_KEPT, '*', 'entry', entry, ...)
  call('EXPIRE', key, REPLIES_KEPT_S)
end

-- Why a job is refused whose key is bound to that one.
function seal.conflict(holder) return 'idempotency key is bound to job ' .. holder .. ' with other content' end

local function grouped(text)
  local out = text
  while true do
    local changed
    out, changed = string.gsub(out, '^(%d+)(%d%d%d)', '%1,%2')
    if changed == 0 then return out end
  end
end

-- Answers an intake entry that a guard refuses. `words` has a text for each kind of guard, with {found}, {limit}, {of}.
function seal.refuse(entry, given, why, words, reply_to)
  local told = {}
  for kind, found, limit, of in string.gmatch(why, '(%a+) (%S+) (%S+) ([^;]+)') do
    local numbers = { found = grouped(found), limit = grouped(limit), of = grouped(of) }
    told[#told + 1] = (string.gsub(words[kind], '{(%a+)}', numbers))
  end
  seal.reject(entry, given, 'guard_refused', table.concat(told, '; '), reply_to)
end

-- Answers an intake entry that becomes no job; the answer repeats the entry's fields.
function seal.reject(entry, given, code, reason, reply_to)
  local answer = { 'entry', entry, 'reason', reason }
  local left = GIVEN_MOST
  for i = 1, math.min(#given, 2 * GIVEN_KEPT), 2 do
    local value = given[i] == 'plan' and '***' or string.sub(given[i + 1], 1, GIVEN_LONGEST)
    left = left - #given[i] - #value
    if left < 0 then break end
    answer[#answer + 1] = 'given.' .. given[i]
    answer[#answer + 1] = value
  end
  call('XADD', K.rejected, 'MAXLEN', '~', REJECTED_KEPT, '*', unpack(answer))
  seal.reply(reply_to, entry, 'error', code, 'message', reason)
end

function seal.announce() call('PUBLISH', WAKE, ACCOUNT .. (overtakes and ' first' or '')) end

function seal.drop(id)
  unreserve(id)
  call('UNLINK', K.job(id), K.job_calls(id), K.job_canary(id), K.job_invalid(id), K.job_runs(id))
  call('ZREM', K.jobs, id)
  call('ZREM', K.open, id)
  call('ZREM', K.unsealed, id)
end
