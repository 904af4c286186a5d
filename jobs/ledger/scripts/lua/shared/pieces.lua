-- A piece holds references of one job with one history: a header line, then one reference a line.
-- Header: "1 COUNT" without a history, else JSON with
--   v format   c count   a attempts counted   n calls that named them
--   m until when (ms) a call that named them may still act; 0 where none can have cancelled them
--   k and g kind and group, while it waits for its time   b 1 where it then goes to the rear: it may be why a call
--   failed r reads tried   s HTTP status and w text of the refusal that a read is to explain
--   o calls in a row that burnt no attempt   t how many of them failed while others succeeded   q when the last was
--   (ms) x reads in a row that failed because of the caller while others succeeded   y when the last was (ms)
--   l when the last call that named them ended (ms)   d 1 where they were deallocated for this job, or may have been
--   e 1 where a read is to show also a success (shared/canary.lua), 2 once the platform confirmed one
local piece = {}

function piece.decode(text)
  local nl = string.find(text, '\n', 1, true)
  local head = string.sub(text, 1, nl - 1)
  local p
  if string.byte(head) == 123 then
    p = cjson.decode(head)
  else
    p = { v = 1, c = tonumber(string.sub(head, 3)), a = 0, n = 0, m = 0 }
  end
  p.refs = string.sub(text, nl + 1)
  return p
end

-- Whether a piece has no history, and no field that another version added.
local SHORT = { v = true, c = true, a = true, n = true, m = true, refs = true }
local function fresh(p)
  if p.a ~= 0 or p.n ~= 0 or p.m ~= 0 then return false end
  for field in pairs(p) do
    if not SHORT[field] then return false end
  end
  return true
end

function piece.encode(p)
  if fresh(p) then
    return FORMAT .. ' ' .. p.c .. '\n' .. p.refs
  end
  local refs = p.refs
  p.refs = nil
  p.v = FORMAT
  local text = cjson.encode(p) .. '\n' .. refs
  p.refs = refs
  return text
end

-- A piece with the same history and other references.
function piece.with(p, refs, count)
  local q = {}
  for k, v in pairs(p) do q[k] = v end
  q.refs, q.c = refs, count
  return q
end

-- The first `count` references and the rest.
function piece.split(p, count)
  local at = 0
  for _ = 1, count do at = string.find(p.refs, '\n', at + 1, true) end
  return piece.with(p, string.sub(p.refs, 1, at - 1), count), piece.with(p, string.sub(p.refs, at + 1), p.c - count)
end
