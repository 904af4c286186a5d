"""Drains an account: claim, call, settle, until nothing is claimable.

A *lane* holds a slot, and makes one call after another with it. When a call ends, the next staged claim starts at once.
The ended call is settled meanwhile, and the settlement brings the next claim to stage. So there is no gap between
calls, and the ledger's count of slots stays exact.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import structlog

from cancellist.jobs.flow.signals import Signal
from cancellist.jobs.ledger.claims import Ask, Claim, Mode, Terms, Wait
from cancellist.jobs.ledger.core import Ledger
from cancellist.worker.calls.attempt import Attempt
from cancellist.worker.calls.attempt_result import AttemptResult
from cancellist.worker.calls.flow_reporter import FlowReporter
from cancellist.worker.drain.claim_planner import ClaimPlanner
from cancellist.worker.drain.gate_watch import GateWatch, Question
from cancellist.worker.drain.leases import Leases
from cancellist.worker.drain.ledger_requests import LedgerRequests
from cancellist.worker.drain.settle_turns import SettleTurns
from cancellist.worker.drain.staging import Staging
from cancellist.worker.drain.urgent_calls import UrgentCalls

log = structlog.get_logger()

_IDLE_S = 0.5


class Drain:
    """One account's work in this process."""

    def __init__(
        self,
        ledger: Ledger,
        account: str,
        name: str,
        worker: str,
        terms: Terms,
        attempt: Attempt,
        flow: FlowReporter,
        stop: asyncio.Event,
        forbidden: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begins idle; `forbidden` says whether the stop file keeps calls from starting, whatever the ledger says."""
        self._account = account
        self._attempt = attempt
        self._flow = flow
        self._stop = stop
        self._forbidden = forbidden
        self._requests = LedgerRequests(ledger, account, name, worker, terms, stop)
        self._gate = GateWatch(ledger, account, self._spawn, self._drop_stale)
        self._leases = Leases(ledger, account, name, terms, self._gate.learn)
        self._staging = Staging()
        self._turns = SettleTurns()
        self._planner = ClaimPlanner(terms)
        self._urgent = UrgentCalls(lambda: self._planner.overtaken)
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._side: set[asyncio.Task[None]] = set()
        self._asking = 0
        self._changed = asyncio.Event()
        self._idle_until = 0.0
        self.calls = 0

    def wake(self, *, gate: bool = False, first: bool = False) -> None:
        """Tells the drain that work may be claimable, that it goes `first`, or that the gate has moved."""
        self._idle_until = 0.0
        if first:
            self._planner.overtakings += 1
            self._urgent.look()
        self._changed.set()
        if gate:
            self._gate.doubt()
            self._spawn(self._gate.ask())

    async def run(self) -> None:
        """Drains until nothing is claimable, or until it must stop; leaves no claim and no slot behind."""
        renewing = asyncio.create_task(self._leases.keep())
        stopping = asyncio.create_task(self._on_stop())
        sharing = asyncio.create_task(self._flow.keep(lambda: bool(self._lanes)))
        try:
            await self._pump()
        finally:
            await self._finish()
            for task in (renewing, stopping, sharing):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _pump(self) -> None:
        """Asks for claims while the drain can use more."""
        while not self._stop.is_set():
            self._changed.clear()
            if self._staging and not (self._lanes or self._asking or self._side):
                # Every lane ended before these claims were staged, so no slot will come free: claim them again.
                await self._give_back(self._staging.drop_all(), [])
            lanes, staged = len(self._lanes), len(self._staging)
            mode = self._planner.wanted(lanes, staged, self._asking, settling=bool(self._side))
            if mode is None or monotonic() < self._idle_until:
                await self._pause(self._idle_until - monotonic() if mode else _IDLE_S)
                continue
            if mode == "leave":
                if await self._ask("leave"):
                    return
                continue
            await asyncio.gather(*(self._ask(mode) for _ in range(self._planner.requests(mode, lanes, staged))))

    async def _ask(self, mode: Mode) -> bool:
        """Asks for a claim until there is an answer; returns whether the drain has left the list of live drains."""
        ask, overtakings = self._requests.new(mode, len(self._lanes)), self._planner.overtakings
        self._asking += 1
        try:
            answered = await self._requests.claim(ask)
        finally:
            self._asking -= 1
        if answered is None:
            self._spawn(self._give_back_ids([ask.claim], [ask.claim]))
            return False
        answer, at = answered
        if isinstance(answer, Wait) and answer.why == "left":
            return True
        self._place(ask, answer, at, overtakings)
        return False

    def _place(self, ask: Ask, answer: Claim | Wait, asked_at: float, overtakings: int) -> None:
        """Starts a claim with a slot, stages one without, or notes how long to wait."""
        self._gate.learn(answer.gate_now, asked_at)
        self._planner.learn(ask, answer, overtakings)
        self._urgent.hear(answer.urgent_out)
        match answer:
            case Wait(wait_ms=wait_ms) if overtakings == self._planner.overtakings:  # else it is an old answer
                self._idle_until = monotonic() + (_IDLE_S if wait_ms < 0 else min(wait_ms / 1000, _IDLE_S))
            case Claim():
                self._idle_until = 0.0
                self._leases.add(answer, asked_at)
                if answer.leased:
                    self._gate.lease(asked_at)
                self._urgent.hold(answer)
                if self._forbidden():
                    self._idle_until = monotonic() + _IDLE_S
                    self._spawn(self._give_back([answer], [answer.id] if answer.has_slot else []))
                elif answer.gate != self._gate.version:  # its first answer was lost, and the gate has moved since
                    self._spawn(self._give_back([answer], [answer.id] if answer.has_slot else []))
                elif answer.has_slot:
                    self._leases.add_slot(answer.id)
                    self._lanes[answer.id] = asyncio.create_task(self._lane(answer, answer.id))
                else:
                    self._staging.add(answer)
        self._changed.set()

    async def _lane(self, claim: Claim, slot: str) -> None:
        """Makes one call after another with one slot; starts the next call before it settles the last."""
        try:
            if claim.delay_ms:
                await asyncio.sleep(claim.delay_ms / 1000)
            call = self._start(claim)
            while call:
                began_at = monotonic()
                ended = await self._end(call, claim)
                if ended and ended.shown and ended.shown.sign is not Signal.ACCEPTED:
                    await self._heed()
                left = ended is not None and ended.leaves
                self._urgent.end(claim, left=left)
                first = left and claim.urgent and not self._staging.urgent
                chained = ended and ended.chains and not first and not (claim.guarded and ended.may_fall_short)
                successor = await self._successor(slot, began_at) if chained else None
                following = self._start(successor) if successor else None
                if not following:
                    self._drop_lane(slot)
                if ended:
                    self._spawn(self._settle(claim, ended, slot, keep=following is not None))
                # Else the slot stays taken until its lease passes: the platform may still work on the closed call.
                if successor is None:
                    return
                claim, call = successor, following
            await self._give_back([claim], [slot])
        finally:
            self._drop_lane(slot)

    def _forget(self, claim: Claim, *, left: bool = False) -> None:
        """Drops a claim; `left` says that some of its references need another call or read."""
        self._leases.drop(claim.id)
        self._urgent.drop([claim.id])
        if left and claim.urgent:
            self.wake(first=True)

    async def _heed(self) -> None:
        """Waits until flow control has the failure, and this drain has the gate that follows from it."""
        await self._flow.shared()
        await self._gate.ask()

    def _drop_lane(self, slot: str) -> None:
        self._lanes.pop(slot, None)
        self._leases.drop_slot(slot)
        self._changed.set()

    def _start(self, claim: Claim) -> "asyncio.Task[AttemptResult] | None":
        """Starts the call of a claim; None where the claim may no longer be ours."""
        if self._stop.is_set() or not self._leases.may_send(claim.id):
            return None
        self.calls += 1
        self._urgent.begin(claim)
        # The question goes before the settling of the call that has just ended, which takes the server far longer.
        questions = [self._gate.question()] if claim.guarded and not self._gate.leased else []
        call = asyncio.create_task(self._attempt(claim, lambda: self._may_send(claim, questions)))
        self._leases.watch(claim.id, call)
        return call

    async def _may_send(self, claim: Claim, questions: list[Question]) -> bool:
        """Whether a request may be sent: the gate has not moved, the lease holds, and no stop file is there.

        A guarded claim needs a start lease, or an answer of its own. Its first request goes by the question that was
        asked as its call started, unless it had to wait since; each other one asks anew.
        """
        asked = questions.pop() if questions else None
        leased = claim.guarded and self._gate.leased
        if claim.guarded and not leased and (asked is None or not asked.recent):
            asked = self._gate.question()
        stands = await self._gate.stands(claim.gate, asked=None if leased else asked)
        if leased and not self._gate.leased:  # it had to wait, or the gate may have moved
            return False
        return stands and self._leases.may_send(claim.id) and not self._forbidden()

    async def _end(self, call: "asyncio.Task[AttemptResult]", claim: Claim) -> AttemptResult | None:
        """The result of a call; None where it must not be settled: the claim passes and is taken over as maybe sent."""
        try:
            ended = await call
        except asyncio.CancelledError:
            if not call.cancelled():
                raise
            log.warning("call closed, its claim was lost", account=self._account, claim=claim.id)
        except Exception:
            log.exception("attempt failed", account=self._account, claim=claim.id)
        else:
            self._flow.note(claim, ended)
            return ended
        self._forget(claim)
        return None

    async def _successor(self, slot: str, began_at: float) -> Claim | None:
        """The next staged claim, if it may follow now on the ended call that `began_at`; else None."""
        if self._stop.is_set() or not self._staging or not self._leases.holds(slot):
            return None
        if len(self._lanes) > self._planner.most or not await self._gate.heard():
            return None
        if not await self._urgent.in_order(began_at, lambda: self._staging.urgent):
            return None
        claim = self._staging.pop(self._gate.version)
        if claim and not self._leases.may_send(claim.id):
            self._spawn(self._give_back([claim], []))
            return None
        return claim

    def _drop_stale(self, version: int) -> None:
        """Releases claims that were staged under another version of the gate."""
        stale = self._staging.drop_other_than(version)
        if stale:
            self._spawn(self._give_back(stale, []))

    async def _settle(self, claim: Claim, ended: AttemptResult, slot: str, *, keep: bool) -> None:
        """Settles a claim, and places the next one that the answer brings."""
        lanes, mode, overtakings = len(self._lanes), None, self._planner.overtakings
        if not self._stop.is_set():
            mode = self._planner.wanted_with_a_settle(lanes, len(self._staging))
        ask = self._requests.new(mode, lanes) if mode else None
        settlement = ended.settlement(claim, slot, keep=keep)
        # What a failure stop counts is settled at once.
        waits = claim.guarded and not ended.may_fall_short and not self._gate.leased
        async with self._turns.turn(waits=waits):
            if waits:
                await self._gate.answered()
            settled = await self._requests.settle(settlement, ask)
        self._forget(claim, left=settled is not None and ended.leaves)
        if settled is None:
            return
        ours, answer, at = settled
        if not ours:
            log.warning("claim lost", account=self._account, claim=claim.id, references=len(claim.references))
        if ask and answer:
            self._place(ask, answer, at, overtakings)
        self._changed.set()

    async def _give_back(self, unsent: list[Claim], slots: list[str]) -> None:
        await self._give_back_ids([claim.id for claim in unsent], slots)

    async def _give_back_ids(self, ids: list[str], slots: list[str]) -> None:
        await self._requests.give_back(ids, slots)
        for claim in ids:
            self._leases.drop(claim)
        self._urgent.drop(ids)
        self._changed.set()

    async def _on_stop(self) -> None:
        await self._stop.wait()
        self._requests.end_soon()
        self._changed.set()

    async def _finish(self) -> None:
        """Releases staged claims, and waits until calls in flight have ended and are settled."""
        while self._staging or self._lanes or self._side:
            staged = self._staging.drop_all()
            if staged:
                await self._give_back(staged, [])
            pending = [*self._lanes.values(), *self._side]
            if pending:
                await asyncio.wait(pending)
        await self._flow.finish()
        await self._requests.leave()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._changed.wait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)
        return task
