-- Kinds of values. Where a script finds a key of another kind halfway, what it has written stays. So scripts look at the
-- keys of a job, a plan or a webhook before their first write. The fixed keys are looked at in any case
-- (scripts/required_commands.py). `claim` looks at none: what it has written by then is harmless.
local kinds = {}

-- Refuses the script where one of these keys holds another kind of value than the one that this command measures. It
-- asks for no right: who may not run the command is not checked.
function kinds.look(length, key, ...)
  local reply = redis.pcall(length, key)
  if type(reply) == 'table' and reply.err and string.find(reply.err, 'WRONGTYPE', 1, true) then
    error({ err = 'WRONGTYPE ' .. key .. ' holds another kind of value' })
  end
  if ... then return kinds.look(length, ...) end
end

-- What a result is counted in.
function kinds.counted(id)
  kinds.look('HLEN', K.job(id))
  kinds.look('LLEN', K.job_runs(id))
end

function kinds.job(id)
  kinds.counted(id)
  kinds.look('HLEN', K.job_alone(id), K.job_later(id))
  kinds.look('LLEN', K.job_calls(id), K.job_reads(id), K.job_canary(id), K.job_invalid(id))
end

function kinds.plan(name)
  kinds.look('GET', K.plan(name), K.plan_request(name), K.plan_report(name))
  kinds.look('ZCARD', K.plans())
end

function kinds.webhook(id)
  kinds.look('HLEN', K.webhook(id), K.webhook_deliveries(id), K.webhook_bodies(id))
  kinds.look('ZCARD', K.webhook_due(id), K.webhook_log(id))
end
