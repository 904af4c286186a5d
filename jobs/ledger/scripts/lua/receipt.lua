-- Keeps the receipt of a job, and moves the head of the chain of receipts to it.
-- KEYS  the ledger's and the account's (shared/keys.lua)
-- ARGV  1 prefix  2 account  3 job  4 the head that the receipt follows, '' for none
--       5 the new head: "NUMBER DIGEST"  6 the receipt
-- Answer  {'made', the receipt}
--         {'there', the receipt that the job has: ours is dropped}
--         {'stale', the present head, '' for none}: another receipt was made meanwhile; nothing is changed
-- Keeps  a job has one receipt, and a receipt one that follows it, however many callers there are. This may be sent twice.
local id = ARGV[3]
local there = call('HGET', K.receipts(), id)
if there then return { 'there', there } end
local head = call('GET', K.receipts_head()) or ''
if head ~= ARGV[4] then return { 'stale', head } end
call('ZADD', K.receipts_order(), string.match(ARGV[5], '^%d+'), id)
call('HSET', K.receipts(), id, ARGV[6])
call('SET', K.receipts_head(), ARGV[5])
return { 'made', ARGV[6] }
