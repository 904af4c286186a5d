-- How many references a call may name where the platform has answered 413: what it has refused is remembered, and one
-- call at a time tries a longer list, halfway between the longest taken and the shortest refused. Once the two are
-- near, what was refused is looked at again, each time that so many full lists were taken; ever rarer while that is in
-- vain. A 413 may be for bytes, of which long references have more: then the longest lists find what holds.
-- In the account's state, and only once there was a 413: list_size, the length in force; list_size_at, which the version
-- before goes by; list_search, JSON of
--   refused   the shortest that was refused; nil where none is known
--   taken     the longest that was taken of those that may be named
--   before    what was in force before the last look made it longer, and beyond, what was refused then
--   since     full lists taken since the last try   failed  looks that were in vain
--   trial     the claim that tries a longer list   unclear  1 where no answer to the last try said anything of its length
-- `search` has the constants: look, full lists for each look at what was refused; near, the share of the size to which the
-- two are brought together; rarest, times as many lists as that for a look, at most, while they are in vain.
local lists = {}

-- What is known, of which `size` is in force; nil where there was no 413. A worker of the version before knows the size
-- alone, and may have raised it.
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

-- Whether lengths are left between what was taken and what was refused that are worth a try each.
local function searching(s, search)
  return not s.refused or s.refused - s.size > math.max(1, math.floor(s.size * search.near))
end

local function in_vain(s, search)
  if 2 ^ s.failed < search.rarest then s.failed = s.failed + 1 end
end

-- The try is over, whatever it has shown.
local function tried(s, unclear)
  s.trial, s.unclear, s.since = nil, unclear, 0
end

-- A list of `n` references was refused for its length. One that was on its way when the size was lowered says nothing
-- new. Else the half holds, or what was taken that is more; where a look had made the size longer, what was known before
-- it. What is staged is longer, and is let go.
function lists.refuse(n, id, search)
  local s = recall() or { since = 0, failed = 0 }
  if s.trial == id then
    if not searching(s, search) then
      in_vain(s, search)
      s.before, s.beyond = nil, nil -- the size has stood for so long that it is not for other references alone
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
    tried(s) -- a try that is still on its way is one of a longer list than is thought of now
    call('HINCRBY', K.state, 'gate', 1)
  end
  store(s)
end

-- A list of `n` references was taken. Only a try makes the size longer: another that is longer than the size was on its
-- way when that was lowered.
function lists.take(n, id)
  local s = recall()
  if not s then return end
  if s.trial == id then
    tried(s, n <= s.size and 1 or nil) -- it was shorter than it should: it had named a reference twice
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

-- A claim has ended without a word on its length.
function lists.lapse(id, search)
  local s = recall()
  if not s or s.trial ~= id then return end
  in_vain(s, search)
  tried(s, 1)
  store(s)
end

-- A claim was given back unsent.
function lists.give_back(id)
  local s = recall()
  if not s or s.trial ~= id then return end
  s.trial = nil
  store(s)
end

-- The length that the next call should try, where one should; `most`: references that a call may name at all.
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

-- A claim tries a longer list.
function lists.try(s, id)
  s.trial = id
  store(s)
end
