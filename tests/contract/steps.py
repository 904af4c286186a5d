"""Steps of the tests of the ledger: handing in, asking for a claim, settling, and looking at what came of it."""

import itertools
from dataclasses import replace

from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.flow.concurrency import ConcurrencyState
from cancellist.jobs.flow.controller import FlowState
from cancellist.jobs.ledger import claims, flow_state, housekeeping, records
from cancellist.jobs.ledger.claims import Ask, Claim, Settlement, Share, Terms
from cancellist.jobs.ledger.flow_state import Move
from cancellist.jobs.ledger.pieces import unpack_piece
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.intake import SmallJob
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, Outcome
from cancellist.jobs.parsing.references import InvalidEntry
from cancellist.jobs.responses.steps import CallAgain, ReadState, WriteResult

A = "default"
TERMS = Terms(limit=3, per_call=10, linger_ms=0, lease_ms=9000)
CANCELLED = WriteResult(Outcome.CANCELLED, 1, 200)
AGAIN = CallAgain(0.0, 1, 1)
READ = ReadState(0.0, 0, 1, refusal_status=200, refusal_words="no")
_numbers = itertools.count(1)


def refs(count, first=0):
    return [f"EC-000-{n // 1000:03d}-{n % 1000:03d}" for n in range(first, first + count)]


def key(name, account=A):
    return f"cancellist:account:{account}:{name}"


async def submitted(ledger, references, *, malformed=0, keep_s=3600, per_call=TERMS.per_call, **order):
    """Submits and seals a job; answers what became of it."""
    submission = Submission(ledger, JobRequest(**order))
    await submission.add(references, [InvalidEntry(n, f"bad {n}", "no reference") for n in range(1, malformed + 1)])
    return await submission.seal(duplicates=0, idempotency_keep_s=keep_s, per_call=per_call)


async def submit(ledger, references, **order):
    return (await submitted(ledger, references, **order)).job


def new_ask(drain="d1", mode="any", slots=0, terms=TERMS):
    return Ask(f"c{next(_numbers)}", drain, mode, slots, terms)


async def ask(ledger, drain="d1", mode="any", slots=0, terms=TERMS, account=A):
    return await claims.claim(ledger, account, new_ask(drain, mode, slots, terms))


async def claim(ledger, **options):
    """Asks for a claim that there must be."""
    answer = await ask(ledger, **options)
    assert isinstance(answer, Claim), answer
    return answer


def whole(claimed, step=CANCELLED, **options):
    """A settlement that sends every reference of a claim the same way."""
    parts = [[Share(step, None, len(part.piece.references))] for part in claimed.parts]
    return Settlement(claimed.id, parts, **options)


async def settle(ledger, claimed, step=CANCELLED, *, then=None, terms=TERMS, account=A, **options):
    """Settles a claim as a whole and gives its slot back, unless told otherwise."""
    options = {"give": (claimed.id,)} | options
    return await claims.settle(ledger, account, whole(claimed, step, **options), then, terms)


async def release(ledger, *claimed, slots=True):
    """Gives claims back unsent, with their slots."""
    ids = [one.id for one in claimed]
    return await claims.release(ledger, A, ids, ids if slots else [], TERMS)


async def drained(ledger, terms=TERMS):
    """Claims and cancels until nothing is claimable; answers the claims."""
    taken = []
    while isinstance(answer := await ask(ledger, terms=terms), Claim):
        await settle(ledger, answer)
        taken.append(answer)
    return taken


async def sweep(ledger, terms=TERMS, worker="w1", call_timeout_s=30.0):
    return await housekeeping.sweep(ledger, A, worker, terms, call_timeout_s)


async def lease_passes(ledger, *claimed):
    """Lets the leases of claims and of their slots pass, at a server that was never away."""
    await ledger.redis.hset(key("state"), "swept_at", await ledger.now_ms())
    for one in claimed:
        await ledger.redis.zadd(key("claims"), {one.id: 1})
        await ledger.redis.zadd(key("slots"), {one.id: 1}, xx=True)


async def what_is_later_comes_due(ledger):
    for member in await ledger.redis.zrange(key("later"), 0, -1):
        await ledger.redis.zadd(key("later"), {member: 1})


async def deadline_passes(ledger, job):
    await ledger.redis.hset(f"cancellist:job:{job}", "deadline", 1)
    await ledger.redis.zadd(key("deadlines"), {job: 1})


async def slots(ledger):
    return await ledger.redis.zcard(key("slots"))


async def entries(ledger):
    """The results stream's entries as text, in order."""
    rows = await ledger.redis.xrange("cancellist:results")
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in rows]


async def outcomes(ledger, job):
    """A job's results, reference -> outcome; no reference has two."""
    found = [(e["reference"], e["outcome"]) for e in await entries(ledger) if e["job"] == job]
    assert len(dict(found)) == len(found)
    return dict(found)


async def state_of(ledger, job):
    return (await records.get(ledger, job)).state


# lingering

LINGERING = replace(TERMS, linger_ms=5000)


async def linger_passes(ledger):
    await ledger.redis.hincrby(key("state"), "part_since", -5000)


# drains


async def live_drains(ledger):
    return {name.decode() for name in await ledger.redis.zrange(key("drains"), 0, -1)}


HOUR_MS = 3_600_000


async def many_small_jobs(ledger, count, **order):
    """Jobs of one reference each, made in few scripts."""
    await intake.prepare(ledger)
    made = []
    for first in range(0, count, 1000):
        pipe = ledger.redis.pipeline(transaction=False)
        for _ in range(first, min(count, first + 1000)):
            pipe.xadd("cancellist:intake", {"references": "x"})
        await pipe.execute()
        taken = await intake.read(ledger, ledger.redis, "c", count=1000, block_ms=1)
        jobs = [SmallJob(e.id, JobRequest(**order), refs(1, first + n), [], 0) for n, e in enumerate(taken)]
        await intake.seal_small(ledger, A, jobs, idempotency_keep_s=60, per_call=10)
    made = await ledger.redis.zrange("cancellist:jobs", 0, -1)
    assert len(made) == count
    return [job.decode() for job in made]


def bad(count, first=1):
    return [InvalidEntry(n, f"bad {n}", "no reference") for n in range(first, first + count)]


async def seal(of, **options):
    return await of.seal(**{"duplicates": 0, "idempotency_keep_s": 3600, "per_call": TERMS.per_call} | options)


async def add_and_seal(of, references):
    await of.add(references)
    return await seal(of)


async def queued(ledger, job):
    """The references of a job that wait for a call, in order."""
    waits = await ledger.redis.hexists(f"cancellist:job:{job}", "rest")
    packed = await ledger.redis.lrange(f"cancellist:job:{job}:{'canary' if waits else 'calls'}", 0, -1)
    return [reference for text in packed for reference in unpack_piece(text).references]


async def everything(ledger):
    """All that the server holds, but for clocks and the scripts' cache."""
    found = {}
    for name in await ledger.redis.keys("*"):
        found[name] = await ledger.redis.dump(name)
    return found


async def moved(ledger, *, shut=False, explore=False, **parts):
    """Moves the account's state; answers what there is then."""
    seen = await flow_state.share(ledger, A)
    state = seen.state or FlowState(seen.now_ms, ConcurrencyState(16.0))
    after = await flow_state.share(
        ledger, A, move=Move(seen.version, replace(state, **parts), shut, explore, SettingNames())
    )
    assert after.moved
    return after
