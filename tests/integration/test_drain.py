"""A drain between a real server and a platform that is slow to connect to; nobody pushes it word of the gate."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import pytest

from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.flow.concurrency import ConcurrencyPolicy
from cancellist.jobs.flow.controller import FlowPolicy
from cancellist.jobs.flow.signals import AttemptSignal, Signal
from cancellist.jobs.ledger import accounts, control, records
from cancellist.jobs.ledger.claims import Claim, Share, Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.model import Outcome, Priority
from cancellist.jobs.responses.retry_policy import RetryPolicy
from cancellist.jobs.responses.steps import ReadState, WriteResult
from cancellist.worker.calls.attempt import Attempt
from cancellist.worker.calls.attempt_result import AttemptResult
from cancellist.worker.calls.flow_reporter import FlowReporter
from cancellist.worker.drain.drain import Drain
from cancellist.worker.platform.client import PlatformClient
from tests.contract.steps import A, claim, key, refs, submit
from tests.support.busy import a_full_queue, next_but, told_who_waits, waiting_at
from tests.support.waiting import until

pytestmark = told_who_waits
TERMS = Terms(limit=1, per_call=10, linger_ms=0)


@contextlib.asynccontextmanager
async def draining(ledger: Ledger, port: int) -> AsyncIterator[None]:
    """Drains the account by calls to a local port, until the block ends."""
    stop = asyncio.Event()
    async with PlatformClient(f"http://127.0.0.1:{port}", None, timeout_s=10) as client:
        attempt = Attempt(client, RetryPolicy(), lease_s=9)
        flow = FlowReporter(ledger, A, "d1", FlowPolicy(ceiling=1), SettingNames())
        drain = Drain(ledger, A, "d1", "w1", TERMS, attempt, flow, stop)
        work = asyncio.create_task(drain.run())
        try:
            yield
        finally:
            stop.set()
            await work


@pytest.mark.parametrize("what", ["the account", "the job"])
async def test_a_call_that_was_stopped_while_it_connected_is_not_made_and_counts_as_none(
    ledger: Ledger, what: str
) -> None:
    loop, job = asyncio.get_running_loop(), await submit(ledger, refs(30))
    with a_full_queue() as (full, others):
        port = full.getsockname()[1]
        before = waiting_at(port)
        async with asyncio.timeout(15), draining(ledger, port):
            await until(lambda: asyncio.to_thread(waiting_at, port), lambda count: count > before, 5)
            await (control.pause_account(ledger, A) if what == "the account" else control.pause_job(ledger, job))
            connection = await next_but(others, full)
            record = await until(lambda: records.get(ledger, job), lambda record: not record.in_flight, 5)
            assert record.pending == 30
        with connection:
            assert await loop.sock_recv(connection, 4096) == b""
    if what == "the account":
        await control.resume_account(ledger, A, 100)
    else:
        await control.resume_job(ledger, job, 100)
    taken = [await claim(ledger) for _ in range(3)]
    assert {part.piece.named for one in taken for part in one.parts} == {0}


async def test_an_urgent_call_that_leaves_reads_is_followed_at_once_where_what_is_staged_is_urgent_too(
    ledger: Ledger,
) -> None:
    stop, second = asyncio.Event(), asyncio.Event()

    async def attempt(claim: Claim, _: object) -> AttemptResult:
        if claim.references[0] != refs(1)[0]:
            second.set()
            return AttemptResult([[Share(WriteResult(Outcome.CANCELLED, 1, 200), None, 10)]])
        await until(lambda: ledger.redis.zcard(key("claims")), lambda count: count == 2, 5)
        await ledger.redis.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")  # nothing is settled
        return AttemptResult([[Share(ReadState(0.0, 0, 1), None, 10)]])

    await submit(ledger, refs(20), priority=Priority.URGENT)
    drain = Drain(
        ledger, A, "d1", "w1", TERMS, cast("Attempt", attempt),
        FlowReporter(ledger, A, "d1", FlowPolicy(ceiling=1), SettingNames()), stop,
    )  # fmt: skip
    work = asyncio.create_task(drain.run())
    try:
        assert await asyncio.wait_for(second.wait(), 5)
    finally:
        await ledger.redis.execute_command("CLIENT", "UNPAUSE")
        stop.set()
        await work


async def test_a_limit_that_a_drain_has_moved_is_known_for_as_long_as_its_settings_say(ledger: Ledger) -> None:
    policy = FlowPolicy(ceiling=8, limiter=ConcurrencyPolicy(stale_ms=300_000))
    flow = FlowReporter(ledger, A, "d1", policy, SettingNames())
    await submit(ledger, refs(10))
    flow.note(await claim(ledger), AttemptResult((), shown=AttemptSignal(Signal.ACCEPTED, 50.0)))
    await flow.finish()
    for silent_ms, limit in ((299_000, 8), (301_000, None)):
        await ledger.redis.hset(ledger.keys.state(A), "limit_at", await ledger.now_ms() - silent_ms)
        assert (await accounts.gate(ledger, A)).limit == limit
