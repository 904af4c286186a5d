-- Claims the reinstatement of a consignment: once this is answered with 1, one request may be sent that creates another.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 old reference  4 attempt  5 run  6 ms until the request is surely sent no more
--       7 the attempt that is given up: a person has looked, and knows that it has created nothing; '' for none
-- Answer  1: claimed; else the JSON of what stands (shared/reinstatements.lua)
-- Keeps  of all who claim a reference one gets it. What was claimed is never claimed again by itself. This may be sent
--        twice.
local e = reinstated.read(ARGV[3])
if e and e.attempt ~= ARGV[4] then
  local given_up = e.attempt == ARGV[7] and e.state ~= 'made' and e['until'] <= NOW
  if not given_up then return cjson.encode(e) end
end
if not e or e.attempt ~= ARGV[4] then
  reinstated.write(ARGV[3], { v = FORMAT, state = 'sending', attempt = ARGV[4], run = ARGV[5], at = NOW,
    ['until'] = NOW + tonumber(ARGV[6]) })
end
return 1
