-- The retry budget: calls that went well earn retries, so that a platform that fails is not hammered with them. A call
-- went well where it has an answer for each of its references, be it a refusal, which is read (and has a status, s).
local budget = {}
local EARNED, FIRST, MOST_SAVED = 0.2, 10, 100

function budget.pay(retries)
  local left = tonumber(call('HGET', K.state, 'retry_budget') or FIRST)
  left = retries and left - 1 or math.min(MOST_SAVED, left + EARNED)
  if left < 0 then return false end
  call('HSET', K.state, 'retry_budget', string.format('%.1f', left))
  return true
end
