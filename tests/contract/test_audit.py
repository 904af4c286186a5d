"""The audit log: each change once, with who and what came of it; and nothing fails because of it."""

import pytest

from cancellist.jobs.errors import JobStateError, LedgerFullError, LedgerUnavailableError
from cancellist.jobs.ledger import audit, control, hosts, housekeeping, receipts, stop_all
from cancellist.jobs.ledger.audit import Act, Actor, AuditFilter
from cancellist.jobs.model import JobState, Outcome
from cancellist.jobs.responses.steps import WriteResult
from cancellist.jobs.safety import receipt
from tests.contract.steps import A, claim, drained, key, many_small_jobs, refs, settle, state_of, submit


@pytest.fixture
def lost():
    """What could not be recorded; anna acts."""
    found = []
    audit.acting(Actor("http", "anna", "192.0.2.7", "laptop", lambda act, error: found.append((act, error.code))))
    yield found
    audit.acting(Actor())


async def entries(ledger, **wanted):
    """What was recorded, oldest first."""
    return (await audit.page(ledger, AuditFilter(**wanted), limit=1000)).entries[::-1]


async def test_an_act_is_recorded_with_who_did_it_and_what_came_of_it(ledger, lost):
    job = await submit(ledger, refs(2))
    await control.abort_job(ledger, job)
    with pytest.raises(JobStateError):
        await control.pause_job(ledger, job)
    done, refused = await entries(ledger, job=job)
    assert done == {
        "at": done["at"], "what": "abort", "job": job, "account": A, "about": None, "who": "anna", "via": "http",
        "where": "192.0.2.7", "token": "laptop", "result": "done", "code": None,
    }  # fmt: skip
    assert (refused["what"], refused["result"], refused["code"]) == ("pause", "refused", "job_state")
    assert lost == []


async def test_the_stop_of_everything_and_confirmed_hosts_are_recorded(ledger, lost):
    await stop_all.stop(ledger, "anna", "a wrong file")
    await stop_all.resume(ledger)
    await stop_all.note_file(ledger, "w1", "/run/stop")
    await stop_all.note_file(ledger, "w1", "/run/stop")
    await hosts.confirm(ledger, A, "api.example.com", "anna")
    found = [(one["what"], one["about"], one["result"]) for one in await entries(ledger)]
    assert found == [
        ("stop", "all accounts", "done"), ("resume", "all accounts", "done"), ("stop", "stop file /run/stop", "done"),
        ("confirm host", "api.example.com", "done"),
    ]  # fmt: skip
    assert "a wrong file" not in str(found)


async def test_a_job_that_halts_and_goes_on_says_so_also_in_its_receipt(ledger, lost):
    job = await submit(ledger, refs(30), max_refused="5")
    await settle(ledger, await claim(ledger), WriteResult(Outcome.REJECTED, 1, 200))
    assert await state_of(ledger, job) is JobState.HALTED
    await control.continue_job(ledger, job, 10)
    await drained(ledger)
    halted, continued = await entries(ledger, job=job)
    assert (halted["what"], halted["via"]) == ("halt", "worker")
    assert halted["about"] == "10 of 10 results are refused, and the limit is 5"
    assert (continued["what"], continued["who"]) == ("continue", "anna")
    line, _ = await receipts.make(ledger, job, None)
    assert [act["what"] for act in receipt.read(line).document["job"]["acts"]] == ["halt", "continue"]
    assert await receipts.make(ledger, job, None) == (line, None)  # which changes nothing
    made = (await entries(ledger, job=job))[2:]
    assert [(one["what"], one["who"], one["about"]) for one in made] == [("receipt", "anna", "number 1")]


async def test_what_cannot_be_recorded_is_done_and_told(ledger, lost):
    job = await submit(ledger, refs(2))
    await ledger.redis.set(ledger.keys.audit, "no stream")
    await control.abort_job(ledger, job)
    await stop_all.stop(ledger, "anna", "")
    assert (await state_of(ledger, job)).ended
    assert await stop_all.standing(ledger)
    assert [act for act, _ in lost] == [f"abort {job}", "stop"]


async def test_an_entry_of_the_intake_stream_that_cannot_be_recorded_becomes_a_job(ledger):
    await ledger.redis.set(ledger.keys.audit, "no stream")
    (made,) = await many_small_jobs(ledger, 1)
    assert await state_of(ledger, made) is JobState.QUEUED


async def test_what_has_failed_is_told_by_its_own_error_alone(ledger, lost):
    with pytest.raises(LedgerUnavailableError):
        async with audit.recorded(ledger, "abort", job="j"):
            raise LedgerUnavailableError("away")
    assert await entries(ledger) == []
    with pytest.raises(LedgerFullError):
        async with audit.recorded(ledger, "enqueue", account=A):
            raise LedgerFullError("full")
    assert [(one["result"], one["code"]) for one in await entries(ledger)] == [("failed", "server_full")]
    await ledger.redis.set(ledger.keys.audit, "no stream")
    with pytest.raises(JobStateError):
        await control.continue_job(ledger, await submit(ledger, refs(1)), 10)
    assert lost == []


async def test_a_full_server_still_takes_it(ledger, lost):
    job = await submit(ledger, refs(2))
    await ledger.redis.config_set("maxmemory", 1)
    try:
        await control.abort_job(ledger, job)
    finally:
        await ledger.redis.config_set("maxmemory", 0)
    assert [one["what"] for one in await entries(ledger)] == ["abort"]
    assert lost == []


async def test_entries_of_the_intake_stream_are_recorded_as_they_become_jobs(ledger):
    made = await many_small_jobs(ledger, 3)
    found = await entries(ledger)
    assert [one["job"] for one in found] == made
    assert {(one["what"], one["via"], one["result"]) for one in found} == {("enqueue", "intake", "done")}
    stored = [(await ledger.redis.hget(ledger.keys.job(job), "entry")).decode() for job in made]
    assert [one["where"] for one in found] == stored


async def test_texts_are_cut_and_made_safe(ledger, lost):
    audit.acting(Actor("cli", "anna\x1b[2J\u202e", "x" * 5000))
    await audit.record(ledger, Act("update", about="y" * 5000))
    (one,) = await entries(ledger)
    assert one["who"] == "anna\\x1b[2J\\u202e"
    assert len(one["where"]) == len(one["about"]) == 200


async def test_old_entries_are_trimmed_as_records_of_jobs_are(ledger):
    now = await ledger.now_ms()
    for number in range(600):
        await ledger.redis.xadd(ledger.keys.audit, {"what": "pause"}, id=f"{now - 10_000_000 + number}-0")
    await control.pause_account(ledger, A)
    await housekeeping.trim(ledger, A, results_keep_s=10, jobs_keep_s=1000)
    left = await entries(ledger)
    assert len(left) <= 101, "a stream is trimmed by whole nodes"
    assert left[-1]["account"] == A


async def test_pages_and_filters(ledger):
    await control.pause_account(ledger, A)
    await control.pause_account(ledger, "north")
    jobs = [await submit(ledger, refs(1, at)) for at in range(3)]
    for job in jobs:
        await control.pause_job(ledger, job)
    first = await audit.page(ledger, AuditFilter(), limit=2)
    second = await audit.page(ledger, AuditFilter(), limit=9, before=first.next)
    assert [one["job"] for one in [*first.entries, *second.entries]] == [*jobs[::-1], None, None]
    assert second.next == ""
    assert len(await entries(ledger, account="north")) == 1
    assert await entries(ledger, since_ms=await ledger.now_ms() + 60_000) == []
    assert len(await entries(ledger, since_ms=-5)) == 5


async def test_a_job_that_runs_to_its_end_by_itself_leaves_nothing(ledger):
    await submit(ledger, refs(2))
    await drained(ledger)
    assert await entries(ledger) == []
    assert await ledger.redis.exists(key("state"))
