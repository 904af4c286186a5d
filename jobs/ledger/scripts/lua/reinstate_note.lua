-- Notes what became of an attempt to reinstate a consignment.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 old reference  4 attempt
--       5 'made', 'unconfirmed', or 'free': surely nothing was created, so that it can be claimed again
--       6 the new reference, for 'made'
-- Answer  1, or 0 where the attempt is no longer the one that stands, or was made before: nothing is changed
-- Keeps  what was made stays so. This may be sent twice.
local e = reinstated.read(ARGV[3])
if not e or e.attempt ~= ARGV[4] or e.state == 'made' then return 0 end
if ARGV[5] == 'free' then
  call('HDEL', K.reinstated(), ARGV[3])
else
  e.state = ARGV[5]
  if ARGV[5] == 'made' then e.new = ARGV[6] end
  reinstated.write(ARGV[3], e)
end
return 1
