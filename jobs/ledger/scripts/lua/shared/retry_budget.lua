-- The retry budget: good calls earn retries, so that a failing platform does not get many retries. A good call has an
-- answer for each of its references. A refusal is an answer, too: it goes to a read with its HTTP status (s).
local budget = {}
local EARNED, FIRST, MOST_SAVED = 0.2, 10, 100

function budget.pay(retries)
  local left = tonumber(call('HGET', K.state, 'retry_budget') or FIRST)
  left = retries and left - 1 or math.min(MOST_SAVED, left + EARNED)
  if left < 0 then return false end
  call('HSET', K.state, 'retry_budget', string.format('%.1f', left))
  return true
end
