"""What a drain shares of its attempts, between drains that move the account's flow in turn."""

import asyncio
import contextlib

from cancellist.jobs.flow import controller
from cancellist.jobs.flow.controller import FlowPolicy
from cancellist.jobs.flow.signals import AttemptSignal, Signal
from cancellist.jobs.ledger import flow_state
from cancellist.jobs.ledger.claims import Claim, Part
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.flow_state import Move
from cancellist.jobs.model import Piece
from cancellist.worker.calls.attempt_result import AttemptResult
from cancellist.worker.calls.flow_reporter import FlowReporter
from tests.contract.steps import A
from tests.support.waiting import until

POLICY = FlowPolicy(ceiling=4)
CALL = Claim("c1", "calls", (Part("j1", Piece(("EC-000-000-001",))),), True, 1e14, 0, 0, 0, False, 100, 0, 4)


async def move_without_the_others(ledger: Ledger) -> None:
    """Moves the flow, as a drain that had read the counters before another shared its own."""
    seen = await flow_state.share(ledger, A)
    state = controller.step(seen.state, {}, 0, POLICY, seen.now_ms, 0.5)
    await flow_state.share(ledger, A, move=Move(seen.version, state))


async def counted(ledger: Ledger) -> int:
    """Accepted calls of the drain that the flow has been moved by."""
    state = (await flow_state.share(ledger, A)).state
    return state.seen["d1"].accepted if state and "d1" in state.seen else 0


async def test_what_was_shared_while_others_moved_the_flow_moves_it_though_nothing_follows(ledger: Ledger) -> None:
    drain = FlowReporter(ledger, A, "d1", POLICY, "CANCELLIST_")
    keeping = asyncio.create_task(drain.keep(lambda: False))
    try:
        drain.note(CALL, AttemptResult((), AttemptSignal(Signal.ACCEPTED, 5.0)))
        sharing = asyncio.create_task(drain.shared())
        while not sharing.done():
            await move_without_the_others(ledger)
        assert await until(lambda: counted(ledger), lambda accepted: accepted == 1, 30) == 1
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
