-- Adds one batch of references to an unsealed job; the first batch creates the job.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job  4 nonce of this submission  5 batch number, from 1
--       6 valid references in this batch  7 malformed ones
--       8 the number f of job fields, then f field-value pairs (used by batch 1)
--       then the packed chunks, then '', then the packed malformed entries
-- Answer  1 added, 0 added before, -1 another submission has the job id, -2 the job is gone or sealed
-- Keeps  a batch is added once, however often it is sent; none of it can be claimed before the seal.
local id, nonce, number = ARGV[3], ARGV[4], tonumber(ARGV[5])
local jk = K.job(id)
seal.may_add(id)
local h = call('HMGET', jk, 'nonce', 'batches', 'state')
if h[1] and h[1] ~= nonce then return -1 end
if h[3] and not h[1] then return -1 end
if not h[1] then
  if number ~= 1 then return -2 end
  call('HSET', jk, 'v', FORMAT, 'nonce', nonce, 'account', ACCOUNT, 'state', 'sealing', 'created_at', ms(NOW), 'batches', 0)
  call('ZADD', K.jobs, ms(NOW), id)
  call('ZADD', K.open, ms(NOW), id)
  call('SADD', K.accounts, ACCOUNT)
end
if number <= tonumber(h[2] or 0) then return 0 end
if h[3] and h[3] ~= 'sealing' then return -2 end
local at = 9
for _ = 1, tonumber(ARGV[8]) do
  call('HSET', jk, ARGV[at], ARGV[at + 1])
  at = at + 2
end
while ARGV[at] and ARGV[at] ~= '' do
  call('RPUSH', K.job_calls(id), ARGV[at])
  at = at + 1
end
at = at + 1
while ARGV[at] do
  call('RPUSH', K.job_invalid(id), ARGV[at])
  at = at + 1
end
call('HINCRBY', jk, 'calls', ARGV[6])
call('HINCRBY', jk, 'invalid_left', ARGV[7])
call('HSET', jk, 'batches', number)
seal.reserve(id, tonumber(ARGV[6]) + tonumber(ARGV[7]))
call('ZADD', K.unsealed, ms(NOW), id)
return 1
