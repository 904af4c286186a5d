"""The stop of all accounts."""

import pytest

from cancellist.jobs.errors import NotPermittedError, StopFileError
from cancellist.jobs.ledger import account_status, accounts, control, housekeeping, permits, records, stop_all
from cancellist.jobs.ledger.claims import Wait
from cancellist.jobs.model import JobState
from tests.contract.steps import TERMS, A, ask, claim, drained, refs, release, settle, state_of, submit

B = "other"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """No worker is there whose calls would have to be waited for."""
    monkeypatch.setattr(stop_all, "QUIET_S", 0.0)


async def states(ledger):
    return {one.name: account_status.state(one.gate) for one in await account_status.statuses(ledger, {})}


async def test_nothing_is_claimed_of_any_account_also_of_one_whose_first_job_comes_later(ledger):
    job = await submit(ledger, refs(30))
    staged = [await claim(ledger), await claim(ledger)]
    assert await stop_all.stop(ledger, "anna", "the wrong list")
    gate = await accounts.gate(ledger, A)
    assert gate.stopped is not None
    assert (gate.stopped.by, gate.stopped.why) == ("anna", "the wrong list")
    assert {one.gate for one in staged} == {gate.version - 1}
    later = await submit(ledger, refs(10, 500), account=B)
    assert await states(ledger) == {A: "stopped", B: "stopped"}
    for account in (A, B):
        assert isinstance(found := await ask(ledger, account=account), Wait)
        assert (found.wait_ms, found.why) == (-1, "stopped")
        swept = await housekeeping.sweep(ledger, account, "w1", TERMS, 30.0)
        assert swept.drains == ()
        with pytest.raises(NotPermittedError, match="resume --all"):
            async with permits.permitted(ledger, account, TERMS, keep_s=1):
                pass
    ours, then = await settle(ledger, staged[0], then=None)
    assert (ours, then) == (True, None)
    await release(ledger, staged[1])
    await stop_all.resume(ledger)
    await drained(ledger)
    assert await state_of(ledger, job) is JobState.COMPLETED
    assert await state_of(ledger, later) is JobState.QUEUED
    assert await states(ledger) == {A: "running", B: "running"}


async def test_what_was_paused_on_its_own_stays_so(ledger):
    job = await submit(ledger, refs(20))
    await submit(ledger, refs(20, 300), account=B)
    await control.pause_job(ledger, job)
    await control.pause_account(ledger, B)
    await stop_all.stop(ledger, "anna", "")
    await control.resume_account(ledger, A, 10)
    assert await states(ledger) == {A: "stopped", B: "stopped"}
    assert (await stop_all.resume(ledger)).by == "anna"
    assert await states(ledger) == {A: "running", B: "paused"}
    assert await state_of(ledger, job) is JobState.PAUSED


async def test_the_first_stop_keeps_its_time_and_reason_and_letting_go_on_can_be_repeated(ledger):
    await submit(ledger, refs(3))
    assert await stop_all.stop(ledger, "anna", "first")
    first = await stop_all.standing(ledger)
    version = (await accounts.gate(ledger, A)).version
    assert not await stop_all.stop(ledger, "bob", "second")
    assert await stop_all.standing(ledger) == first
    assert (await accounts.gate(ledger, A)).version == version
    assert await stop_all.resume(ledger) == first
    assert await stop_all.resume(ledger) is None


async def test_the_time_of_a_stop_counts_as_a_pause(ledger):
    await submit(ledger, refs(3))
    await stop_all.stop(ledger, "anna", "")
    since = (await stop_all.standing(ledger)).since_ms
    assert (await records.stops(ledger, A)).paused_from_ms == since
    await stop_all.resume(ledger)
    history = await records.stops(ledger, A)
    assert (history.paused_from_ms, history.paused_until_ms >= since) == (since, True)


async def test_no_account_goes_on_while_a_worker_sees_its_stop_file(ledger, monkeypatch):
    monkeypatch.setattr(stop_all, "_GONE_WITHIN_S", 0.1)
    await submit(ledger, refs(3))
    assert await stop_all.note_file(ledger, "w1", "box:/run/stop", "STOP_FILE", "the file is there")
    assert not await stop_all.note_file(ledger, "w2", "cup:/run/stop", "STOP_FILE", "the file is there")
    for worker in ("w1", "w2"):
        with pytest.raises(StopFileError, match="run/stop is still there"):
            await stop_all.resume(ledger)
        await stop_all.note_file(ledger, worker, "")
    assert await states(ledger) == {A: "stopped"}
    await stop_all.resume(ledger)
    assert await states(ledger) == {A: "running"}


async def test_a_worker_that_is_gone_keeps_nothing_stopped(ledger):
    await stop_all.note_file(ledger, "w1", "box:/run/stop", "STOP_FILE", "the file is there")
    await ledger.redis.hset("cancellist:totals", "stop_files", '{"w1": {"at": 1, "where": "box:/run/stop"}}')
    assert (await stop_all.resume(ledger)).by == "STOP_FILE"
    assert await stop_all.standing(ledger) is None
