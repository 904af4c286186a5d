-- The largest batch size after the platform has answered 413. One call at a time tries a larger batch, halfway between
-- the largest that was taken and the smallest that was refused. Once the two are near, the refused size is tried again
-- after so many full batches, and ever more rarely while it is refused again. A 413 may be about bytes, and long
-- references have more of them: so the limit may differ from batch to batch.
-- The account's state has these fields, once there was a 413: list_size, the batch size in force; list_size_at, which
-- an older version uses; list_search, JSON of
--   refused   the smallest size that was refused; nil where none is known
--   taken     the largest size that was taken, not above the size in force
--   before    the size in force before the last retry of a refused size raised it; beyond: the size refused then
--   since     full batches taken since the last try   failed  retries of the refused size that failed
--   trial     the claim that tries a larger batch   unclear  1 where the last try showed nothing about sizes
-- `search` has the constants: look, full batches before a retry of the refused size; near, the difference between the
-- two sizes at which the search ends, as a share of the size; rarest, the most multiples of `look` before a retry.
local lists = {}

-- The known values; `size` is in force. nil where there was no 413. A worker of an older version knows only the size,
-- and may have raised it.
function lists.known(size, search)
  local s = search and cjson.decode(search) or { since = 0, failed = 0 }
  s.size = tonumber(size or s.refused)
  if s.refused then s.size = math.min(s.size, s.refused - 1) end
  return s.size and s
end

local function recall()
  local h = call('HMGET', K.state, 'list_size', 'list_search')
  return lists.known(h[1], h[2])
end

local function store(s)
  local size = s.size
  s.size = nil
  call('HSET', K.state, 'list_size', size, 'list_size_at', ms(NOW), 'list_search', cjson.encode(s))
  s.size = size
end

function lists.forget() call('HDEL', K.state, 'list_size', 'list_size_at', 'list_search') end

-- Whether sizes are left between the largest taken and the smallest refused that are worth a try.
local function searching(s, search)
  return not s.refused or s.refused - s.size > math.max(1, math.floor(s.size * search.near))
end

local function in_vain(s, search)
  if 2 ^ s.failed < search.rarest then s.failed = s.failed + 1 end
end

-- Ends a try.
local function tried(s, unclear)
  s.trial, s.unclear, s.since = nil, unclear, 0
end

-- A batch of `n` references was refused for its length. A batch larger than the size in force shows nothing new, since
-- it was sent before the size was lowered. Otherwise the size becomes half of `n`, or the largest taken size if that is
-- more; or, if a retry had raised the size, the size before it. Staged claims are larger, so the gate moves to release
-- them.
function lists.refuse(n, id, search)
  local s = recall() or { since = 0, failed = 0 }
  if s.trial == id then
    if not searching(s, search) then
      in_vain(s, search)
      s.before, s.beyond = nil, nil -- the size has held for long, so it does not depend on the references
    end
    tried(s)
  end
  s.refused = math.min(s.refused or n, n)
  if not s.size or n <= s.size then
    if s.taken and s.taken >= n then
      in_vain(s, search)
      s.taken = nil
    end
    s.size = math.max(1, math.floor(n / 2), s.taken or 0)
    if s.before and s.before < n and s.before >= s.size then s.size, s.refused = s.before, s.beyond end
    s.before, s.beyond = nil, nil
    tried(s) -- a try that is still in flight is of a larger batch than is allowed now
    call('HINCRBY', K.state, 'gate', 1)
  end
  store(s)
end

-- A batch of `n` references was taken. Only a try raises the size: any other batch above it was sent before the size
-- was lowered.
function lists.take(n, id)
  local s = recall()
  if not s then return end
  if s.trial == id then
    tried(s, n <= s.size and 1 or nil) -- two jobs named the same reference, so the batch was smaller than planned
    if n > s.size and n <= (s.refused or n) then
      if s.refused == n then
        s.refused, s.before, s.beyond, s.failed = nil, s.size, n, math.floor(s.failed / 2)
      end
      s.size, s.taken = n, n
    end
  elseif n == s.size then
    s.taken, s.since = n, s.since + 1
  else
    return
  end
  store(s)
end

-- A claim has ended, and its answer showed nothing about sizes.
function lists.lapse(id, search)
  local s = recall()
  if not s or s.trial ~= id then return end
  in_vain(s, search)
  tried(s, 1)
  store(s)
end

-- A claim was released without a call.
function lists.give_back(id)
  local s = recall()
  if not s or s.trial ~= id then return end
  s.trial = nil
  store(s)
end

-- The batch size that the next call should try, nil where none; `most`: references that a call may name at all.
function lists.longer(s, ask, most)
  local search = ask.search
  if s.trial and not call('ZSCORE', K.claims, s.trial) then lists.lapse(s.trial, search) end
  if s.trial or s.taken ~= s.size or s.size >= most then return nil end
  local between = searching(s, search)
  if (s.unclear or not between) and s.since < search.look * math.min(2 ^ s.failed, search.rarest) then return nil end
  local longer = s.refused or 2 * s.size
  if between and s.refused then longer = math.floor((s.size + s.refused) / 2) end
  longer = math.min(longer, most)
  return tonumber(call('HGET', K.state, 'calls_ready') or 0) >= longer and longer or nil
end

-- Notes that a claim tries a larger batch.
function lists.try(s, id)
  s.trial = id
  store(s)
end
