"""Guards: a job that is larger than its account allows is refused, or held for approval, whichever way it comes."""

import asyncio
import json
from dataclasses import replace

import pytest

from cancellist.jobs.errors import GuardError
from cancellist.jobs.ledger import housekeeping, open_count, records
from cancellist.jobs.ledger.keys import GROUP
from cancellist.jobs.ledger.submitting import intake
from cancellist.jobs.ledger.submitting.submission import Submission
from cancellist.jobs.model import JobRequest, JobState
from cancellist.jobs.safety.approval import ApprovalState, approval_of
from cancellist.jobs.safety.guard import Finding, Guard, GuardKind, in_words, unpack_findings
from cancellist.jobs.safety.safeguards import NONE, Safeguards
from tests.contract.steps import TERMS, A, ask, bad, claim, drained, everything, key, refs, seal, settle, state_of

K = GuardKind
DAY_MS = 86_400_000
STATE = key("state")


async def note(ledger, *guards):
    for number, guard in enumerate(guards):
        safeguards = Safeguards(guard=guard)
        await housekeeping.sweep(ledger, A, f"w{number}", TERMS, 30.0, safeguards=safeguards)


async def by_file(ledger, references, safeguards=NONE, **order):
    """Hands in as a command, the HTTP API and the facade do; answers the job, or None and why it was refused."""
    one = Submission(ledger, JobRequest(**order), safeguards)
    await one.add(references)
    try:
        return (await seal(one)).job, ""
    except GuardError as error:
        return None, error.message


async def entry_of(ledger):
    await intake.prepare(ledger)
    await ledger.redis.xadd("cancellist:intake", {"references": "x"})
    (entry,) = await intake.read(ledger, ledger.redis, "c", count=1, block_ms=1)
    return entry.id


async def rejected(ledger):
    rows = await ledger.redis.xrevrange("cancellist:intake:rejected", count=1)
    return rows[0][1][b"reason"].decode() if rows else ""


async def by_entry(ledger, references, safeguards=NONE, **order):
    """Hands in as a small entry of the intake stream."""
    before = await ledger.redis.zrange("cancellist:jobs", 0, -1)
    small = intake.SmallJob(await entry_of(ledger), JobRequest(**order), references, [], 0)
    words, _ = await intake.seal_small(ledger, A, [small], safeguards, idempotency_keep_s=60, per_call=10)
    if words == ["refused"]:
        return None, await rejected(ledger)
    (job,) = set(await ledger.redis.zrange("cancellist:jobs", 0, -1)) - set(before)
    return job.decode(), ""


async def by_large_entry(ledger, references, safeguards=NONE, **order):
    """Hands in as a large entry of the intake stream."""
    one = Submission(ledger, JobRequest(**order), safeguards)
    await one.add(references)
    try:
        return (await seal(one, intake=(GROUP, await entry_of(ledger)))).job, ""
    except GuardError:
        return None, await rejected(ledger)


WAYS = [by_file, by_entry, by_large_entry]
ways = pytest.mark.parametrize("way", WAYS)


async def so_many_open(ledger, count, age_ms=0):
    at_ms = await ledger.now_ms() - age_ms
    await ledger.redis.hset(STATE, "open_count", f"{count} {at_ms}")


async def usual_days(ledger, *counts):
    today = await ledger.now_ms() // DAY_MS
    days = [f"{today - len(counts) + at}:{count}" for at, count in enumerate(counts)]
    await ledger.redis.hset(STATE, "handed_days", " ".join(days))


async def approval(ledger, job):
    return approval_of(await records.get(ledger, job))


async def why(ledger, job):
    return [(one.kind, one.found, one.limit, one.of) for one in (await approval(ledger, job)).why]


# the table: what passes each guard, by each way


BOUNDS = [
    (Guard(max_references=100), 101, (K.REFERENCES, 101, 100, 0)),
    (Guard(max_per_day=150), 151, (K.DAY, 151, 150, 151)),
    (Guard(max_share=10), 151, (K.SHARE, 151, 10, 1_500)),
]


@ways
@pytest.mark.parametrize(("guard", "count", "found"), BOUNDS)
@pytest.mark.parametrize("noted_by", ["worker", "producer"])
async def test_one_above_a_most_is_refused_and_the_most_itself_is_not(ledger, way, guard, count, found, noted_by):
    await so_many_open(ledger, 1_500)
    own = Safeguards(guard=guard) if noted_by == "producer" else NONE
    await note(ledger, *([guard] if noted_by == "worker" else []))
    before = await everything(ledger) if way is by_file else None
    job, told = await way(ledger, refs(count), own, idempotency_key="key")
    assert job is None
    assert in_words((Finding(*found),)) in told
    assert await ledger.redis.zcard("cancellist:jobs") == 0
    assert await ledger.redis.hget("cancellist:totals", "unsealed") in {None, b"0"}
    if before is not None:
        kept = {name for name in await everything(ledger) if b":done:" not in name and not name.endswith(b":totals")}
        assert kept - {b"cancellist:accounts"} == set(before)
    job, _ = await way(ledger, refs(count - 1), own, idempotency_key="key")
    assert await state_of(ledger, job) is JobState.QUEUED


HOLDING = [
    (Guard(approve_above=100), 101, (K.ABOVE, 101, 100, 0)),
    (Guard(max_references=100, approve_above=500), 101, (K.REFERENCES, 101, 100, 0)),
    (Guard(max_per_day=150, approvals_required=2), 151, (K.DAY, 151, 150, 151)),
    (Guard(max_share=10, approvals_required=1), 151, (K.SHARE, 151, 10, 1_500)),
    (Guard(unusual=2.5), 151, (K.UNUSUAL, 151, 2.5, 60)),
]


@ways
@pytest.mark.parametrize(("guard", "count", "found"), HOLDING)
async def test_a_job_above_is_held_for_approval(ledger, way, guard, count, found):
    await so_many_open(ledger, 1_500)
    await usual_days(ledger, 10, 90, 60, 60, 61)
    await note(ledger, guard)
    job, _ = await way(ledger, refs(count))
    assert await state_of(ledger, job) is JobState.HELD
    assert await why(ledger, job) == [found]
    wanted = await approval(ledger, job)
    assert (wanted.wanted, wanted.given, wanted.count) == (guard.approvals_required or 1, (), count)
    assert wanted.state is ApprovalState.WAITING
    assert DAY_MS - 5_000 < wanted.lapses_at_ms - await ledger.now_ms() <= DAY_MS
    assert await ledger.redis.zrange(key("held"), 0, -1) == []
    assert (await ask(ledger)).why == "empty"


@ways
@pytest.mark.parametrize("age_ms", [None, 2 * 3_600_000])
async def test_a_share_that_is_not_known_is_held_and_never_passed(ledger, way, age_ms):
    if age_ms is not None:
        await so_many_open(ledger, 1_000_000, age_ms)
    await note(ledger, Guard(max_share=50))
    job, _ = await way(ledger, refs(100))
    assert await why(ledger, job) == [(K.UNKNOWN, 100, 50, 0)]
    small, _ = await way(ledger, refs(99, 200))
    assert await state_of(ledger, small) is JobState.QUEUED


@ways
async def test_references_of_a_day_add_up_over_jobs_and_what_is_refused_does_not_count(ledger, way):
    await note(ledger, Guard(max_per_day=100))
    assert (await way(ledger, refs(60)))[0]
    for first in (100, 200):
        job, told = await way(ledger, refs(41, first))
        assert job is None
        assert "with its 41 references 101 are handed in within 24 hours, and 100 may be" in told
    assert (await way(ledger, refs(40, 300)))[0]
    assert (await way(ledger, refs(1, 400)))[0] is None


async def test_what_was_handed_in_more_than_a_day_ago_no_longer_counts(ledger):
    await note(ledger, Guard(max_per_day=100))
    hour = await ledger.now_ms() // 3_600_000
    await ledger.redis.hset(STATE, "handed_hours", f"{hour - 25}:90 {hour - 24}:60")
    assert (await by_file(ledger, refs(41)))[0] is None
    assert (await by_file(ledger, refs(40)))[0]
    assert (await ledger.redis.hget(STATE, "handed_hours")).decode() == f"{hour - 24}:60 {hour}:40"


@pytest.mark.parametrize(
    ("days", "count"), [((), 5_000), ((50, 50, 50, 50), 5_000), ((1, 1, 1, 1, 1), 99), ((0, 0, 50, 50, 50, 50), 5_000)]
)
async def test_nothing_is_unusual_of_few_references_or_after_few_days(ledger, days, count):
    await usual_days(ledger, *days)
    await note(ledger, Guard(unusual=2))
    job, _ = await by_file(ledger, refs(count))
    assert await state_of(ledger, job) is JobState.QUEUED


async def test_malformed_entries_are_no_references(ledger):
    await note(ledger, Guard(max_references=3, approve_above=2, max_per_day=3))
    one = Submission(ledger, JobRequest())
    await one.add(refs(2), bad(10))
    assert await state_of(ledger, (await seal(one)).job) is JobState.QUEUED


# several workers and processes


@pytest.mark.parametrize("guards", [(Guard(max_references=10), Guard(max_references=50, approve_above=20)), ()])
async def test_the_strictest_of_all_workers_counts(ledger, guards):
    lax = Guard(max_references=1_000, approvals_required=1)
    await note(ledger, lax, *guards, lax)
    job, _ = await by_file(ledger, refs(11), Safeguards(guard=lax))
    assert (job is None) == bool(guards)


async def test_the_most_approvals_and_the_shortest_wait_of_all_count(ledger):
    await note(ledger, Guard(approve_above=1, approvals_required=2), Guard(approve_above=5, keep_ms=60_000))
    job, _ = await by_file(ledger, refs(10))
    found = await approval(ledger, job)
    assert found.wanted == 2
    assert found.lapses_at_ms - await ledger.now_ms() <= 60_000
    assert [one.limit for one in found.why] == [1, 5]


async def test_guards_outlive_their_workers_until_others_come(ledger):
    await note(ledger, Guard(max_references=5))
    noted = json.loads(await ledger.redis.hget(STATE, "safeguards"))
    noted["w0"]["at"] -= 5_000
    await ledger.redis.hset(STATE, "safeguards", json.dumps(noted))
    assert (await by_file(ledger, refs(6)))[0] is None
    await housekeeping.sweep(ledger, A, "new", TERMS, 30.0)
    assert (await by_file(ledger, refs(6)))[0]


# sealed twice, at the same time, and before any worker


@pytest.mark.parametrize("intake_entry", [False, True])
async def test_a_seal_that_is_sent_again_gets_the_same_answer(ledger, intake_entry):
    await note(ledger, Guard(max_references=5))
    one = Submission(ledger, JobRequest(idempotency_key="key"))
    await one.add(refs(6))
    options = {"intake": (GROUP, await entry_of(ledger))} if intake_entry else {}
    told = set()
    for _ in range(2):
        with pytest.raises(GuardError) as refused:
            await seal(one, **options)
        told.add(str(refused.value))
        await note(ledger, Guard(max_references=50))  # the guard has changed meanwhile: the answer has not
    assert len(told) == 1
    assert await ledger.redis.xlen("cancellist:intake:rejected") == (1 if intake_entry else 0)
    other, _ = await by_file(ledger, refs(6, 100), idempotency_key="key")
    assert other


async def test_a_held_job_that_is_sealed_again_is_the_same_job(ledger):
    await note(ledger, Guard(approve_above=5, max_per_day=6))
    one = Submission(ledger, JobRequest(idempotency_key="key"))
    await one.add(refs(6))
    first, again = await seal(one), await seal(one)
    assert (first.job, first.state) == (again.job, again.state)
    job, _ = await by_file(ledger, refs(6), idempotency_key="key")  # its caller was killed, and hands it in again
    assert job == first.job
    assert (await ledger.redis.hget(STATE, "handed_hours")).endswith(b":6")


async def test_an_entry_that_is_refused_is_answered_once_however_often_it_is_sent(ledger):
    await note(ledger, Guard(max_references=5))
    small = intake.SmallJob(await entry_of(ledger), JobRequest(), refs(6), [], 0, reply_to="shop")
    for _ in range(2):
        words, _ = await intake.seal_small(ledger, A, [small], idempotency_keep_s=60, per_call=10)
        assert words == ["refused"]
    assert await ledger.redis.xlen("cancellist:intake:rejected") == 1
    ((_, answer),) = await ledger.redis.xrange("cancellist:replies:shop")
    assert answer[b"error"] == b"guard_refused"
    assert answer[b"message"] == b"it names 6 references, and a job may name 5"


async def test_jobs_that_are_sealed_at_once_pass_a_guard_of_a_day_together_no_more_than_alone(ledger):
    await note(ledger, Guard(max_per_day=50))
    found = await asyncio.gather(*(by_file(ledger, refs(10, 100 * n)) for n in range(12)))
    assert sum(job is not None for job, _ in found) == 5


@pytest.mark.parametrize("old", [False, True])
async def test_a_job_that_no_worker_had_judged_is_judged_as_it_starts(ledger, old):
    other, _ = await by_file(ledger, refs(3, 900))
    job, _ = await by_file(ledger, refs(20))
    if old:  # a version without guards has handed it in
        await ledger.redis.hdel(f"cancellist:job:{job}", "handed", "digest")
    await note(ledger, Guard(max_references=10))
    assert len(await drained(ledger)) == 1
    assert await state_of(ledger, other) is JobState.COMPLETED
    assert await state_of(ledger, job) is JobState.HELD
    assert await why(ledger, job) == [(K.REFERENCES, 20, 10, 0)]
    assert (await records.get(ledger, job)).started_at_ms is None


async def test_a_job_is_not_judged_again_by_the_guards_that_it_has_passed(ledger):
    await note(ledger, Guard(max_per_day=30, approvals_required=1))
    jobs = [(await by_file(ledger, refs(20, 100 * n)))[0] for n in range(2)]
    assert [await state_of(ledger, job) for job in jobs] == [JobState.QUEUED, JobState.HELD]
    await settle(ledger, await claim(ledger, terms=replace(TERMS, per_call=20)))
    assert await state_of(ledger, jobs[0]) is JobState.COMPLETED


# overrides


OVERRIDE = {"overridden_by": "anna", "override_reason": "recall 1147"}


@pytest.mark.parametrize(("guard", "count", "found"), [*BOUNDS, *HOLDING[1:]])
async def test_an_override_passes_every_guard_and_is_recorded(ledger, guard, count, found):
    await so_many_open(ledger, 1_500)
    await usual_days(ledger, 10, 90, 60, 60, 61)
    await note(ledger, guard)
    job, _ = await by_file(ledger, refs(count), **OVERRIDE)
    record = await records.get(ledger, job)
    assert record.state is JobState.QUEUED
    assert (record.order.overridden_by, record.order.override_reason) == ("anna", "recall 1147")
    assert unpack_findings(record.overrode) == (Finding(*found),)
    assert record.approval is None


async def test_an_override_stands_for_no_second_person(ledger):
    await note(ledger, Guard(max_references=5, approve_above=10))
    job, _ = await by_file(ledger, refs(11), **OVERRIDE)
    assert await why(ledger, job) == [(K.ABOVE, 11, 10, 0)]
    assert [one.kind for one in unpack_findings((await records.get(ledger, job)).overrode)] == [K.REFERENCES]


async def test_an_override_holds_for_guards_that_come_later(ledger):
    job, _ = await by_file(ledger, refs(20), **OVERRIDE)
    await note(ledger, Guard(max_references=10))
    assert len(await drained(ledger)) == 2
    record = await records.get(ledger, job)
    assert record.state is JobState.COMPLETED
    assert unpack_findings(record.overrode) == (Finding(K.REFERENCES, 20, 10, 0),)


async def test_one_worker_at_a_time_counts_what_is_open_and_only_once_it_is_time(ledger):
    assert [await open_count.is_due(ledger, A) for _ in range(3)] == [True, False, False]
    await open_count.note(ledger, A, 1_500)
    assert not await open_count.is_due(ledger, A)
    await note(ledger, Guard(max_share=10))
    assert (await by_file(ledger, refs(151)))[0] is None
    await ledger.redis.hset(STATE, mapping={"open_count": "1500 1", "open_asked": 1})
    assert await open_count.is_due(ledger, A)
