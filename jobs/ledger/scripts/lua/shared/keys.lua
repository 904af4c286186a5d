-- The ledger's fixed keys. Every script declares them in this order (jobs/ledger/keys.py builds the list). Keys of jobs
-- and claims that a script finds are built here, and nowhere else, from the namespace's prefix (ARGV[1]).
--
-- KEYS   1 results (stream)      one entry per result
--        2 jobs (zset)           job -> created_at, ms; all jobs
--        3 open (zset)           job -> created_at, ms; unfinished jobs
--        4 finished (zset)       job -> finished_at, ms
--        5 totals (hash)         unsettled: references without a result, over all accounts; unsealed: of jobs not
--                                sealed yet; the stop of all accounts (stop_all.lua)
--        6 workers (zset)        worker -> last seen, ms
--        7 accounts (set)        accounts that ever had a job
--        8 intake (stream)       jobs handed in by other systems
--        9 rejected (stream)     intake entries that were refused, with the reason
--       10 state (hash)          the account's gate, counters and clocks
--       11 calls (zset)          jobs with references ready for a call, in the order of service (queues.lua)
--       12 reads (zset)          jobs with references ready for a read, likewise
--       13 later (zset)          "job:piece" -> due, ms
--       14 claims (zset)         claim -> end of its lease, ms
--       15 claimed (hash)        claim -> packed {v, kind, job, piece, job, piece, ...}
--       16 slots (zset)          slot -> end of its lease, ms; its size is the number of calls in flight
--       17 drains (zset)         drain -> until when it counts as live, ms
--       18 held (zset)           job -> start_at, or the end of its hold, ms
--       19 deadlines (zset)      job -> deadline, ms
--       20 unsealed (zset)       job -> last batch, ms
--       21 slices (zset)         jobs with work that is done in slices: invalid results, abort, expiry
--       22 alone (zset)          groups of references that are called alone, in the order of service
--       23 groups (hash)         group -> its pieces, "JOB/FIELD JOB/FIELD ..."
--       24 words (hash)          fingerprint of a refusal text -> "CLASS AGREED"
--       25 trouble (stream)      calls that did not simply succeed, kept briefly
--       26 flow (hash)           drain -> "AT COUNTERS": ms and the counters of its attempts (jobs/flow/counters.py)
--       27 served (zset)         account -> when a worker last swept it, ms; over all accounts
--       28 webhooks (zset)      endpoint -> created_at, ms
--       29 ended (zset)         job, "halted:JOB" or "approval:JOB" -> the number of its end, of its last halt,
--                              or of when it had to be approved; while there was a webhook
--       30 approvals (zset)     job -> when its approval lapses, ms; jobs that wait for approval
-- ARGV   1 prefix   2 account
local K = {
  results = KEYS[1], jobs = KEYS[2], open = KEYS[3], finished = KEYS[4], totals = KEYS[5], workers = KEYS[6],
  accounts = KEYS[7], intake = KEYS[8], rejected = KEYS[9], state = KEYS[10], calls = KEYS[11], reads = KEYS[12],
  later = KEYS[13], claims = KEYS[14], claimed = KEYS[15], slots = KEYS[16], drains = KEYS[17], held = KEYS[18],
  deadlines = KEYS[19], unsealed = KEYS[20], slices = KEYS[21], alone = KEYS[22], groups = KEYS[23], words = KEYS[24],
  trouble = KEYS[25], flow = KEYS[26], served = KEYS[27], webhooks = KEYS[28], ended = KEYS[29],
  approvals = KEYS[30],
}
local PREFIX, ACCOUNT = ARGV[1], ARGV[2]
local FORMAT = 1

function K.state_of(account) return PREFIX .. 'account:' .. account .. ':state' end
function K.job(id) return PREFIX .. 'job:' .. id end
function K.job_calls(id) return PREFIX .. 'job:' .. id .. ':calls' end
function K.job_canary(id) return PREFIX .. 'job:' .. id .. ':canary' end
function K.job_reads(id) return PREFIX .. 'job:' .. id .. ':reads' end
function K.job_alone(id) return PREFIX .. 'job:' .. id .. ':alone' end
function K.job_later(id) return PREFIX .. 'job:' .. id .. ':later' end
function K.job_invalid(id) return PREFIX .. 'job:' .. id .. ':invalid' end
function K.job_runs(id) return PREFIX .. 'job:' .. id .. ':runs' end
function K.done(claim) return PREFIX .. 'account:' .. ACCOUNT .. ':done:' .. claim end
function K.idempotency(key) return PREFIX .. 'account:' .. ACCOUNT .. ':idempotency:' .. key end
function K.upload(key) return PREFIX .. 'account:' .. ACCOUNT .. ':upload:' .. key end
function K.replies(name) return PREFIX .. 'replies:' .. name end
function K.plan(name) return PREFIX .. 'plan:' .. name end
function K.plan_request(name) return PREFIX .. 'plan:' .. name .. ':request' end
function K.plan_report(name) return PREFIX .. 'plan:' .. name .. ':report' end
function K.plan_approvals(name) return PREFIX .. 'plan:' .. name .. ':approvals' end
function K.plans() return PREFIX .. 'plans' end
function K.receipts() return PREFIX .. 'receipts' end
function K.receipts_head() return PREFIX .. 'receipts:head' end
function K.receipts_order() return PREFIX .. 'receipts:order' end
function K.audit() return PREFIX .. 'audit' end
function K.reinstated() return PREFIX .. 'account:' .. ACCOUNT .. ':reinstated' end
function K.webhook(id) return PREFIX .. 'webhook:' .. id end
function K.webhook_due(id) return PREFIX .. 'webhook:' .. id .. ':due' end
function K.webhook_log(id) return PREFIX .. 'webhook:' .. id .. ':log' end
function K.webhook_deliveries(id) return PREFIX .. 'webhook:' .. id .. ':deliveries' end
function K.webhook_bodies(id) return PREFIX .. 'webhook:' .. id .. ':bodies' end
local WAKE = PREFIX .. 'wake'

local call = redis.call
local time = call('TIME')
local NOW = time[1] * 1000 + math.floor(time[2] / 1000)
local NOW_US = time[1] * 1000000 + time[2]

local function ms(value) return string.format('%.0f', value) end
