-- Plans: what was looked at before a job was handed in. A plan is used once, by a job of its account, for its platform,
-- of the very references that it was made of.
--
-- plan:NAME          JSON {v, state, account, host, content, digest, count, made_by?, created_at, expires_at, lease?,
--                    job?}. NAME is the SHA-256 of the plan's token, hexadecimal: the token itself is nowhere. state:
--                    'waiting' for a worker that reads, or 'ready'. content: the digest of the references; digest: that
--                    of account, host and content. lease: who reads now. job: the one that has used it
-- plan:NAME:request  what a worker needs to read, until there is a report; opaque
-- plan:NAME:report   what was found; opaque
-- plan:NAME:approvals (hash)  who, in small letters -> when, ms; of a plan of a reinstatement
-- plans (zset)       NAME -> when a worker may take it, ms; plans that wait
-- All of a plan expires together.
local plan = {}

function plan.read(name)
  local text = call('GET', K.plan(name))
  return text and cjson.decode(text) or nil
end

function plan.write(name, p) call('SET', K.plan(name), cjson.encode(p), 'KEEPTTL') end

-- A host, other than this one, that calls of the account go to: as its workers have it, or where none has run yet, as
-- the producer has it. nil where there is none.
local function elsewhere(host, own)
  local called = {}
  for _, one in pairs(cjson.decode(call('HGET', K.state, 'hosts') or '{}')) do called[#called + 1] = one.host end
  if #called == 0 then called[1] = own end
  table.sort(called)
  for _, one in ipairs(called) do
    if one ~= host then return one end
  end
end

-- Answers nil where a job may be made by a plan, else why not.
-- wanted: {name, host, named?, content, count} of the job.
function plan.refusal(wanted)
  local p = plan.read(wanted.name)
  if not p then return 'there is no such plan: it has expired, or was never made' end
  if p.job then return 'it was used before, by job ' .. p.job end
  if p.state ~= 'ready' then return 'its report is not there yet: wait for it, and read it' end
  if p.account ~= ACCOUNT then return 'it was made for account ' .. p.account .. ', and this is ' .. ACCOUNT end
  local other = elsewhere(p.host, wanted.host)
  if not other and wanted.named and wanted.named ~= p.host then other = wanted.named end
  if other then return 'it was made for the platform at ' .. p.host .. ', and this one is at ' .. other end
  if p.count ~= wanted.count then
    return 'it was made of ' .. ms(p.count) .. ' references, and these are ' .. ms(wanted.count)
  end
  if p.content ~= wanted.content then return 'it was made of other references, though as many' end
end

-- Marks a plan as used by a job, and notes in the job its digest, and the only host that the job may be called at.
function plan.use(wanted, id)
  local p = plan.read(wanted.name)
  p.job = id
  plan.write(wanted.name, p)
  call('HSET', K.job(id), 'plan', p.digest, 'host', p.host)
end
