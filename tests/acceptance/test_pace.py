"""The rate and the time left that a job shows, against what then really happened."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from cancellist.jobs.ledger import claims, control, snapshots
from cancellist.jobs.ledger.claims import Settlement, Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.drains import schedule
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.model import JobRequest, Outcome, Priority
from tests.support.stage import Stage, submit
from tests.support.waiting import until

pytestmark = [pytest.mark.acceptance, pytest.mark.timed]

CALLS, PER_CALL = 8, 100
WITHIN = 0.2


async def watched(ledger: Ledger, job: str, within_s: float) -> AsyncIterator[Snapshot]:
    """Looks at a job until it has ended."""
    async with asyncio.timeout(within_s):
        while True:
            seen = await snapshots.look(ledger, job)
            yield seen
            if seen.record.state.ended:
                return
            await asyncio.sleep(0.05)


def check(looks: list[Snapshot], end_ms: int, latency_s: float) -> None:
    """All but a few looks, between the ends of calls that end together, are right within a fifth."""
    rate = CALLS * PER_CALL / latency_s
    wrong = []
    for seen in looks:
        left_s = (end_ms - seen.now_ms) / 1000
        eta_s, now = seen.estimate.eta_s, seen.estimate.rate
        if now is None or eta_s is None or abs(now / rate - 1) > WITHIN or abs(eta_s - left_s) > WITHIN * left_s + 0.1:
            wrong.append((seen.record.settled, now, eta_s, left_s))
    assert len(looks) > 20
    assert len(wrong) <= 0.1 * len(looks), (len(looks), wrong)


@pytest.mark.takes(25)
async def test_rate_and_time_left_are_right_at_constant_capacity_and_after_a_pause(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 400})
    valkey_stage.worker()
    total = 20 * CALLS * PER_CALL
    async with valkey_stage.ledger() as ledger:
        references = valkey_stage.platform.open_references(2 * total)
        job = await submit(ledger, references[:total])
        before = [seen async for seen in watched(ledger, job, 30)]
        end_ms = before[-1].record.finished_at_ms
        assert end_ms
        check([s for s in before if total / 10 <= s.record.settled < total], end_ms, 0.4)

        # The same again, with a pause that must not count.
        again = await submit(ledger, references[total:])
        await until(lambda: snapshots.look(ledger, again), lambda s: s.record.settled >= total / 4, 20)
        await control.pause_job(ledger, again)
        paused = await until(lambda: snapshots.look(ledger, again), lambda s: s.record.in_flight == 0, 10)
        assert (paused.estimate.rate, paused.estimate.eta_s) == (0.0, None)
        over_ms = paused.now_ms + 6000
        await until(ledger.now_ms, lambda now_ms: now_ms >= over_ms, 10)
        _, drains = await control.resume_job(ledger, again, PER_CALL)
        await schedule(ledger, "default", drains)
        after = [seen async for seen in watched(ledger, again, 30)]
        end_ms = after[-1].record.finished_at_ms
        assert end_ms
        check([s for s in after if s.record.settled < total], end_ms, 0.4)


@pytest.mark.takes(25)
async def test_they_are_right_again_ten_seconds_after_the_platform_has_become_slower(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 200})
    valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, valkey_stage.platform.open_references(30_000))
        await until(lambda: snapshots.look(ledger, job), lambda s: s.record.settled >= 10_000, 20)
        valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 800})
        changed_ms = await ledger.now_ms()
        looks = [seen async for seen in watched(ledger, job, 40)]
        end_ms = looks[-1].record.finished_at_ms
        assert end_ms
        check([s for s in looks if s.now_ms >= changed_ms + 10_200 and s.record.settled < 30_000], end_ms, 0.8)


async def test_a_queued_job_tells_when_it_will_end_or_how_much_of_it_comes_too_late(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 200})
    valkey_stage.worker()
    references = valkey_stage.platform.open_references(32_000)
    async with valkey_stage.ledger() as ledger:
        first = await submit(ledger, references[:16_000])
        await until(lambda: snapshots.look(ledger, first), lambda s: s.record.settled >= 4000, 20)
        # Some 12,000 references go first, at 4,000 a second.
        order = JobRequest(priority=Priority.BULK, deadline_ms=await ledger.now_ms() + 4000)
        too_late = await submit(ledger, references[16_000:24_000], order)
        last = await submit(ledger, references[24_000:], JobRequest(priority=Priority.BULK))
        told, last_told = await snapshots.look(ledger, too_late), await snapshots.look(ledger, last)
        assert (await snapshots.look(ledger, first)).estimate.eta_s == pytest.approx(3.0, rel=WITHIN)
        ended, last_ended = [[seen async for seen in watched(ledger, job, 40)][-1] for job in (too_late, last)]
        expired = ended.record.outcomes[Outcome.EXPIRED]
        assert 1000 < expired < 7000
        assert told.estimate.at_risk == pytest.approx(expired, abs=WITHIN * 8000)
        assert last_ended.record.finished_at_ms
        took_s = (last_ended.record.finished_at_ms - last_told.now_ms) / 1000
        assert last_told.estimate.eta_s == pytest.approx(took_s, rel=WITHIN)


@pytest.mark.takes(20)
async def test_jobs_that_share_an_account_tell_when_each_of_them_will_end(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 400})
    valkey_stage.worker()
    references = valkey_stage.platform.open_references(32_000)
    orders = (JobRequest(), JobRequest(), JobRequest(priority=Priority.BULK))
    async with valkey_stage.ledger() as ledger:
        parts = (references[:8_000], references[8_000:24_000], references[24_000:])
        jobs = [await submit(ledger, part, order) for part, order in zip(parts, orders, strict=True)]
        looks = [[await snapshots.look(ledger, job) for job in jobs]]
        async with asyncio.timeout(40):
            while not looks[-1][-1].record.state.ended:
                looks.append([await snapshots.look(ledger, job) for job in jobs])
                await asyncio.sleep(0.05)
        small, large, bulk = (seen.record.finished_at_ms for seen in looks[-1])
        assert small
        assert large
        assert bulk
        # The small one ends first; then the large one has all calls; what the bulk one tells is of both before it.
        known = [seen for seen in looks if seen[0].record.settled >= 800 and seen[1].record.settled < 16_000]
        told = [
            (job, seen.estimate.eta_s, (end_ms - seen.now_ms) / 1000)
            for look in known
            for job, seen, end_ms in zip("abc", look, (small, large, bulk), strict=True)
            if not seen.record.state.ended
        ]
        assert len(told) > 300
        wrong = [one for one in told if one[1] is None or abs(one[1] - one[2]) > WITHIN * one[2] + 0.1]
        assert len(wrong) <= 0.1 * len(told), (len(told), wrong)


@pytest.mark.takes(40)
async def test_what_the_platform_has_lowered_as_it_asked_to_wait_is_reckoned_with_while_it_is_waited_for(
    valkey_stage: Stage,
) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 200, "retry_after_s": 8})
    valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, valkey_stage.platform.open_references(24_000))
        await until(lambda: snapshots.look(ledger, job), lambda s: s.record.settled >= 8000, 20)
        valkey_stage.platform.send("PUT", "/sandbox/settings", {"faults": {"429-before": 1.0}})
        await until(
            lambda: snapshots.look(ledger, job), lambda s: s.gate.hold_until_ms and s.gate.calls_in_flight == 0, 20
        )
        valkey_stage.platform.send("PUT", "/sandbox/settings", {"faults": {}})
        looks = [seen async for seen in watched(ledger, job, 40)]
        end_ms = looks[-1].record.finished_at_ms
        assert end_ms
        told = [(seen.estimate.eta_s, (end_ms - seen.now_ms) / 1000) for seen in looks if seen.gate.hold_until_ms]
        assert len(told) > 50
        wrong = [(eta_s, left_s) for eta_s, left_s in told if eta_s != pytest.approx(left_s, rel=WITHIN)]
        assert len(wrong) <= 0.1 * len(told), wrong


@pytest.mark.takes(20)
async def test_a_job_that_waits_for_the_end_of_a_hold_tells_when_it_will_end(valkey_stage: Stage) -> None:
    valkey_stage.platform.send("PUT", "/sandbox/settings", {"latency_ms": 200})
    valkey_stage.worker()
    async with valkey_stage.ledger() as ledger:
        job = await submit(ledger, valkey_stage.platform.open_references(24_000))
        await until(lambda: snapshots.look(ledger, job), lambda s: s.record.settled >= 8000, 20)
        # Asked for by a call that is lost: flow control learns nothing from it, and the pace after it is the same.
        asked = Settlement("lost", [], hold_ms=10_000, hold_why="asked to wait")
        await claims.settle(ledger, "default", asked, None, Terms())
        looks = [seen async for seen in watched(ledger, job, 40)]
        waiting = [seen for seen in looks if seen.gate.hold_until_ms]
        end_ms = looks[-1].record.finished_at_ms
        assert end_ms
        told = [(seen.estimate.eta_s, (end_ms - seen.now_ms) / 1000) for seen in waiting]
        assert len(told) > 100
        wrong = [(eta_s, left_s) for eta_s, left_s in told if eta_s != pytest.approx(left_s, rel=WITHIN)]
        assert len(wrong) <= 0.1 * len(told), wrong
