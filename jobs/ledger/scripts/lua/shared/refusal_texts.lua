-- What reads found behind the account's refusal texts: "CLASS AGREED", the class of state and the number of reads that
-- agreed; "mixed 0" once two disagreed (jobs/responses/refusal_texts.py).
local words = {}
local MOST = 1000

function words.learn(fingerprint, standing)
  local known = call('HGET', K.words, fingerprint)
  if not known and call('HLEN', K.words) >= MOST then return end
  local meant, agreed, more = string.match(known or '', '^(%S+) (%d+)(.*)$')
  if not meant then
    agreed = 1
  elseif meant == standing then
    agreed = tonumber(agreed) + 1
  else
    standing, agreed = 'mixed', 0
  end
  call('HSET', K.words, fingerprint, standing .. ' ' .. agreed .. (more or ''))
end
