-- The platform's hosts. The account's state has those that its workers call, as their settings name them, so that no
-- producer can say otherwise: `hosts`, JSON {worker: {at ms, host, sandbox?, bare?}}; `bare` is of a worker that can keep no
-- records. After the last worker has gone, those that it left stay. The totals have the hosts that a person has confirmed: `host:NAME`, "MS BY".
local hosts = {}
local NOTED_MS = 4000

function hosts.confirm(host, by) call('HSET', K.totals, 'host:' .. host, ms(NOW) .. ' ' .. by) end

-- Whether calls to a host are forbidden, since nobody has confirmed it; '' is a sandbox, which needs that never. An account
-- whose calls an older version made is called at this host already.
function hosts.strange(host)
  if not host or host == '' or call('HGET', K.totals, 'host:' .. host) then return false end
  local h = call('HMGET', K.state, 'hosts', 'limit_at')
  if h[1] or not h[2] then return true end
  hosts.confirm(host, 'called before')
  return false
end

-- Notes the host that a worker calls, and whether it can keep no records; forgets those of workers that are gone.
function hosts.note(worker, host, sandbox, bare)
  if host == '' then return end
  if not sandbox then hosts.strange(host) end
  local kept = { [worker] = { at = NOW, host = host, sandbox = sandbox or nil, bare = bare } }
  for name, one in pairs(cjson.decode(call('HGET', K.state, 'hosts') or '{}')) do
    if name ~= worker and NOW - one.at < NOTED_MS then kept[name] = one end
  end
  call('HSET', K.state, 'hosts', cjson.encode(kept))
end

-- Whether no worker can keep records, of those that live or were the last.
function hosts.all_bare()
  for _, one in pairs(cjson.decode(call('HGET', K.state, 'hosts') or '{}')) do
    if not one.bare then return false end
  end
  return true
end
