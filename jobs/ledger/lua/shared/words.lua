-- What the account's words of refusal have meant: "STANDING AGREED", the reads in a row that agreed (jobs/words.py).
local words = {}
local MOST = 1000

function words.learn(fingerprint, standing)
  local known = call('HGET', K.words, fingerprint)
  if not known and call('HLEN', K.words) >= MOST then return end
  local meant, agreed = string.match(known or '', '^(%S+) (%d+)$')
  agreed = meant == standing and tonumber(agreed) + 1 or 1
  call('HSET', K.words, fingerprint, standing .. ' ' .. agreed)
end
