-- Finds the results that an endpoint of webhooks is to be told next.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 entry to begin after  4 most entries to look at  5 account or '' for all
--       6... outcomes; none for all
-- Answer  {entry looked at last or '', how many, entry, fields, entry, fields, ...}
local outcomes, all = {}, #ARGV < 6
for i = 6, #ARGV do outcomes[ARGV[i]] = true end
local answer = { '', 0 }
local account_of = {}
local function is_of(id)
  if ARGV[5] == '' then return true end
  if account_of[id] == nil then account_of[id] = call('HGET', K.job(id), 'account') or 'default' end
  return account_of[id] == ARGV[5]
end

local found = call('XRANGE', K.results, '(' .. ARGV[3], '+', 'COUNT', ARGV[4])
answer[2] = #found
for _, entry in ipairs(found) do
  answer[1] = entry[1]
  local fields, h = entry[2], {}
  for i = 1, #fields, 2 do h[fields[i]] = fields[i + 1] end
  if (all or outcomes[h.outcome]) and is_of(h.job) then
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = fields
  end
end
return answer
