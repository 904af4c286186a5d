-- A group has pieces, of one job or several, that one call names together and with no other reference.
local group = {}

local function score_of(id)
  local h = call('HMGET', K.job(id), 'class', 'deadline')
  return score(h[1], h[2])
end

function group.new() return ms(call('HINCRBY', K.state, 'groups', 1)) end

function group.add(id, g, p)
  local field = g .. ':' .. call('HINCRBY', K.job(id), 'pieces', 1)
  p.k, p.g = nil, nil
  call('HSET', K.job_alone(id), field, piece.encode(p))
  call('HINCRBY', K.job(id), 'alone', p.c)
  local pieces = call('HGET', K.groups, g)
  call('HSET', K.groups, g, (pieces and pieces .. ' ' or '') .. id .. '/' .. field)
  call('ZADD', K.alone, score_of(id), g)
end

-- Takes a piece off its group's list; an empty group is removed.
function group.forget(id, field)
  local g, rest = string.match(field, '^%d+'), {}
  for entry in string.gmatch(call('HGET', K.groups, g) or '', '%S+') do
    if entry ~= id .. '/' .. field then rest[#rest + 1] = entry end
  end
  if #rest > 0 then
    call('HSET', K.groups, g, table.concat(rest, ' '))
  else
    call('HDEL', K.groups, g)
    call('ZREM', K.alone, g)
  end
end

-- Takes a piece out of the job. The caller must update the group's list.
function group.take(id, field)
  local text = call('HGET', K.job_alone(id), field)
  if not text then return nil end
  local p = piece.decode(text)
  call('HDEL', K.job_alone(id), field)
  call('HINCRBY', K.job(id), 'alone', -p.c)
  return p
end

-- Puts the groups of a job that may run again back into the queue.
function group.enter(id)
  for _, field in ipairs(call('HKEYS', K.job_alone(id))) do
    call('ZADD', K.alone, score_of(id), string.match(field, '^%d+'))
  end
end

-- The place of a group in the order of service: that of the first of its jobs.
local function score_of_group(g)
  local least
  for id in string.gmatch(call('HGET', K.groups, g) or '', '(%S-)/%S+') do
    least = math.min(least or math.huge, tonumber(score_of(id)))
  end
  return least and ms(least)
end

-- Moves groups of a job whose class or deadline has changed to their new place, about `most` of its pieces. The field
-- `regroup` of the job is where to go on, and is missing once all have moved. Answers how many pieces it has looked at.
function group.move(id, most)
  local cursor, looked = call('HGET', K.job(id), 'regroup'), 0
  if not cursor then return 0 end
  while cursor and looked < most do
    local page = call('HSCAN', K.job_alone(id), cursor, 'COUNT', 50)
    for i = 1, #page[2], 2 do
      local g = string.match(page[2][i], '^%d+')
      local score = score_of_group(g)
      if score then call('ZADD', K.alone, 'XX', score, g) end
      looked = looked + 1
    end
    cursor = page[1] ~= '0' and page[1] or nil
  end
  if cursor then call('HSET', K.job(id), 'regroup', cursor) else call('HDEL', K.job(id), 'regroup') end
  return looked
end

function order.enter_all(id) order.enter(id, 'calls') order.enter(id, 'reads') group.enter(id) end
function order.leave_all(id) order.leave(id, 'calls') order.leave(id, 'reads') end
