-- Gives the permission for one call that belongs to no claim, such as a search; or takes its slot back.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 slot
--       4 JSON, times in ms: limit, initial, interval_us, burst as for claim.lua; keep: how long the slot is taken, 0 to
--         give it back
-- Answer  {1, delay}: granted, and the ms until its rate token is due; {0, ms, why}: not now, ask again after ms;
--         -1 where nothing is due
-- Keeps  calls in flight never exceed the limit, nor grants the rate. A slot that nobody gives back ends by itself.
local ask = cjson.decode(ARGV[4])
if ask.keep == 0 then
  call('ZREM', K.slots, ARGV[3])
  return { 1, 0 }
end
local h = flow.read()
flow.obey(ask, h)
local why = shut(ask, h)
if why then return { 0, why[1], why[2] } end
if ask.probe then return { 0, -1, 'breaker' } end
if call('ZCOUNT', K.slots, ms(NOW), '+inf') >= ask.limit then return { 0, slot_wait(), 'limit' } end
local delay = 0
if ask.interval_us > 0 then
  local tat = math.max(tonumber(call('HGET', K.state, 'tat') or 0), NOW_US)
  delay = math.ceil(math.max(0, tat - NOW_US - (ask.burst - 1) * ask.interval_us) / 1000)
  if delay > ask.keep then return { 0, delay - ask.keep, 'rate' } end
  call('HSET', K.state, 'tat', ms(tat + ask.interval_us))
end
call('ZADD', K.slots, ms(NOW + ask.keep + delay), ARGV[3])
return { 1, delay }
