"""What a worker's counters take from a claim and from how its attempt ended."""

import asyncio

import pytest

from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.flow.batch_size import TriedBatch
from cancellist.jobs.flow.controller import FlowPolicy
from cancellist.jobs.flow.counters import Counters, Sized, Timed, bucket
from cancellist.jobs.flow.signals import AttemptSignal, Signal
from cancellist.jobs.ledger.claims import Claim, Part
from cancellist.jobs.model import Piece
from cancellist.worker.calls.attempt_result import AttemptResult
from cancellist.worker.calls.flow_reporter import FlowReporter

ACCEPTED, DENIED = AttemptSignal(Signal.ACCEPTED, 50.0), AttemptSignal(Signal.DENIED, 5.0, why="HTTP 401")


def claim(count=1, *, size=100, kind="calls", probe=False):
    piece = Piece(tuple(f"EC-000-000-{n:03d}" for n in range(count)))
    return Claim("c1", kind, (Part("j1", piece),), True, 1e14, 0, 0, 0, probe, size, 0, 8)


@pytest.mark.parametrize(
    ("claimed", "ended", "counts"),
    [
        (
            claim(100),
            AttemptResult((), ACCEPTED),
            Counters(accepted=1, full=Timed(1, 50.0, 2_500.0), sizes={bucket(100): Sized(1, 100, 50.0)}),
        ),
        (claim(20), AttemptResult((), ACCEPTED), Counters(accepted=1, sizes={bucket(20): Sized(1, 20, 50.0)})),
        (claim(1, kind="reads"), AttemptResult((), ACCEPTED), Counters(accepted=1)),
        (claim(100), AttemptResult((), ACCEPTED, listed=TriedBatch(100, taken=False)), Counters(accepted=1)),
        (claim(probe=True), AttemptResult((), DENIED), Counters(denied=1, probes_failed=1, why="HTTP 401")),
        (claim(), AttemptResult(()), Counters()),
    ],
    ids=["full list", "shorter list", "read", "too long", "probe", "no request"],
)
def test_an_attempt_is_counted_by_its_claim_and_how_it_ended(claimed, ended, counts):
    reporter = FlowReporter(None, "default", "d1", FlowPolicy(8), SettingNames())
    reporter.note(claimed, ended)
    assert reporter._tally.counters() == counts


@pytest.mark.parametrize("ticks", range(6))
async def test_it_ends_by_one_cancellation_whenever_that_comes_after_a_wake(ticks, monkeypatch):
    reporter = FlowReporter(None, "default", "drain1", FlowPolicy(8), SettingNames())

    async def share(*, urgent):
        reporter._noted.clear()
        reporter._urgent.clear()

    monkeypatch.setattr(reporter, "_share", share)
    keeping = asyncio.create_task(reporter.keep(lambda: False))
    await asyncio.sleep(0)
    reporter.note(claim(), AttemptResult((), ACCEPTED))
    for _ in range(ticks):
        await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.wait({keeping}, timeout=5)
    assert keeping.cancelled()
