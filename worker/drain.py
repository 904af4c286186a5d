"""Draining an account: claim, call, settle, until nothing is claimable.

A *lane* is one call in flight. It holds a slot, and with it makes one call after another: when a call ends, the next
staged claim starts in the same instant, and the ended one is settled beside it, which brings the claim to be staged
after that. So the platform sees no gap, and the ledger's count of slots stays exact.
"""

import asyncio
import contextlib
import itertools
import math
from collections.abc import Coroutine
from time import monotonic
from typing import Any

import structlog

from jobs.errors import LedgerError
from jobs.ledger import claims, control
from jobs.ledger.claims import MOST_REFERENCES, Ask, Claim, Mode, Settlement, Terms, Wait
from jobs.ledger.core import Ledger
from jobs.signs import Sign
from worker.attempt import Attempt, Ended
from worker.flow import Flow
from worker.leases import Leases
from worker.staging import Staging

log = structlog.get_logger()

GATE_FRESH_S = 0.4
"""A staged claim starts on the gate's word no older than this, so that after `pause` or `abort` has answered no call
starts later than half a second."""
_IDLE_S = 0.5
_LOCKSTEP_S = 0.05
"""Calls that begin within this may end together, and what an urgent one leaves to be read goes first."""
_UNBOUNDED = 2**31
_SETTLE_WITHIN_S = 10.0
"""After being asked to stop: a server that stays away must not keep the process for ever."""
_RETRY_S = (0.05, 1.0)


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
        flow: Flow,
        stop: asyncio.Event,
    ) -> None:
        self._ledger = ledger
        self._account = account
        self._name = name
        self._terms = terms
        self._attempt = attempt
        self._flow = flow
        self._stop = stop
        self._ids = (f"{worker}.{name}.{n}" for n in itertools.count(1))
        self._leases = Leases(ledger, account, name, terms, self._learn_gate)
        self._staging = Staging()
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._side: set[asyncio.Task[None]] = set()
        self._asking = 0
        self._limit = terms.limit
        self._ends_at = math.inf
        self._most = _UNBOUNDED
        self._short = False
        self._overtaken = False
        self._urgent: dict[str, float] = {}
        self._urgent_left_at = -_LOCKSTEP_S
        self._urgent_ended = asyncio.Event()
        self._changed = asyncio.Event()
        self._gate = 0
        self._gate_at = 0.0
        self._idle_until = 0.0
        self.calls = 0

    def wake(self, *, gate: bool = False, first: bool = False) -> None:
        """Says that something may have become claimable, that it goes `first`, or that the gate has moved."""
        self._idle_until = 0.0
        self._overtaken = self._overtaken or first
        self._changed.set()
        if gate:
            self._gate_at = 0.0
            self._spawn(self._check_gate())

    async def run(self) -> None:
        """Drains until nothing is claimable, or until asked to stop; leaves no claim and no slot behind."""
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
        """Asks for claims while more can be used than are at hand."""
        while not self._stop.is_set():
            self._changed.clear()
            if self._staging and not (self._lanes or self._asking or self._side):
                # Every lane ended before these were staged: nobody will hand them a slot, so claim them anew.
                await self._give_back(self._staging.drop_all(), [])
            mode = self._wanted()
            if mode is None or monotonic() < self._idle_until:
                await self._pause(self._idle_until - monotonic() if mode else _IDLE_S)
                continue
            if mode == "leave":
                if await self._ask("leave"):
                    return
                continue
            if mode == "staged":
                await self._stage_first()
                continue
            lanes = len(self._lanes)
            missing = lanes - len(self._staging) if mode == "any" else self._bound() - lanes
            if self._short:
                missing = 1
            await asyncio.gather(*(self._ask(mode) for _ in range(max(1, min(4, missing)))))

    def _wanted(self) -> Mode | None:
        """What to ask for: a slot while there may be free ones, else one staged claim for each lane."""
        lanes = len(self._lanes)
        if lanes == 0:
            busy = self._asking or self._side or self._staging
            return "slot" if busy else "leave"
        if len(self._staging) + self._asking < lanes and self._terms.interval_us == 0:
            return "any"
        if lanes < self._bound():
            return "slot"
        return "staged" if self._overtaken and self._terms.interval_us == 0 else None

    def _bound(self) -> int:
        """The most lanes that this drain may have now."""
        return min(self._limit, self._most)

    async def _stage_first(self) -> None:
        """Stages one claim more than there are lanes, since something goes before all that is staged."""
        if len(self._staging) > len(self._lanes):
            await self._give_back(self._staging.drop_last(), [])
        await self._ask("staged")

    def _next_mode(self) -> Mode | None:
        """What to ask for while settling."""
        if self._stop.is_set():
            return None
        lanes = len(self._lanes)
        if self._terms.interval_us or lanes == 0:
            return "slot"
        if self._most == 0:  # the limit was lowered: only the ledger knows when a slot is free again
            return "slot"
        if lanes >= self._most:
            return "staged" if len(self._staging) < lanes else None
        return "any" if len(self._staging) <= lanes else "slot"

    def _new_ask(self, mode: Mode) -> Ask:
        return Ask(next(self._ids), self._name, mode, len(self._lanes), self._terms)

    async def _ask(self, mode: Mode) -> bool:
        """Asks for a claim until there is an answer; answers whether this drain has left.

        A request whose reply was lost may have been granted: only asking again under the same id finds that claim.
        """
        ask = self._new_ask(mode)
        self._asking += 1
        pause_s = _RETRY_S[0]
        try:
            while True:
                at = monotonic()
                try:
                    answer = await claims.claim(self._ledger, self._account, ask)
                    break
                except LedgerError as error:
                    log.debug("asking again", claim=ask.claim, error=str(error))
                    if self._stop.is_set():
                        self._spawn(self._give_back_ids([ask.claim], [ask.claim]))
                        return False
                    await asyncio.sleep(pause_s)
                    pause_s = min(_RETRY_S[1], 2 * pause_s)
        finally:
            self._asking -= 1
        if isinstance(answer, Wait) and answer.why == "left":
            return True
        self._place(ask, answer, at)
        return False

    def _place(self, ask: Ask, answer: Claim | Wait, asked_at: float) -> None:
        """Starts a claim that has a slot, stages one that has none, or notes how long there is nothing."""
        self._learn_gate(answer.gate, asked_at)
        self._limit = min(self._terms.limit, answer.limit)
        self._most = ask.slots - answer.give if answer.give else _UNBOUNDED
        self._short = isinstance(answer, Wait) and answer.why == "limit"
        if ask.mode == "staged" and (isinstance(answer, Claim) or answer.wait_ms <= 0):  # else it lingers for more
            self._overtaken = False
        match answer:
            case Wait(wait_ms=wait_ms):
                self._idle_until = monotonic() + (_IDLE_S if wait_ms < 0 else min(wait_ms / 1000, _IDLE_S))
            case Claim():
                self._idle_until = 0.0
                self._leases.add(answer, asked_at)
                if answer.has_slot:
                    self._leases.add_slot(answer.id)
                    self._lanes[answer.id] = asyncio.create_task(self._lane(answer, answer.id))
                else:
                    self._staging.add(answer)
        self._changed.set()

    async def _lane(self, claim: Claim, slot: str) -> None:
        """Makes one call after another with one slot; starts the next before it settles the last."""
        try:
            if claim.delay_ms:
                await asyncio.sleep(claim.delay_ms / 1000)
            call = self._start(claim)
            while call:
                began_at = monotonic()
                ended = await self._end(call, claim)
                if ended and ended.shown and ended.shown.sign is not Sign.ACCEPTED:
                    await self._heed()
                chained = ended and ended.chains and await self._may_chain(claim, ended, began_at)
                successor = await self._successor(slot) if chained else None
                following = self._start(successor) if successor else None
                if not following:
                    self._drop_lane(slot)
                if ended:
                    self._spawn(self._settle(claim, ended, slot, keep=following is not None))
                # Else the slot rests until its lease passes: the platform may still be at work on the closed call.
                if successor is None:
                    return
                claim, call = successor, following
            await self._give_back([claim], [slot])
        finally:
            self._drop_lane(slot)

    async def _may_chain(self, claim: Claim, ended: Ended, began_at: float) -> bool:
        """Whether a staged claim may follow at once: what an urgent call has left to be read would go before it."""
        if claim.id in self._urgent:
            return ended.trouble is None
        if any(abs(at - began_at) < _LOCKSTEP_S for at in self._urgent.values()):
            self._urgent_ended.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._urgent_ended.wait(), _LOCKSTEP_S)
        return monotonic() - self._urgent_left_at > _LOCKSTEP_S

    def _forget(self, claim: Claim, *, left: bool = False) -> None:
        """Lets go of a claim; `left` says that some of its references are to be read or called again."""
        self._leases.drop(claim.id)
        if self._urgent.pop(claim.id, None):
            self._urgent_ended.set()
            if left:
                self._urgent_left_at = monotonic()

    async def _heed(self) -> None:
        """Starts nothing more before the account knows what went wrong, and this drain what follows from it."""
        await self._flow.shared()
        await self._check_gate()

    def _drop_lane(self, slot: str) -> None:
        self._lanes.pop(slot, None)
        self._leases.drop_slot(slot)
        self._changed.set()

    def _start(self, claim: Claim) -> "asyncio.Task[Ended] | None":
        """Starts the call of a claim that is surely still ours."""
        if self._stop.is_set() or not self._leases.may_send(claim.id):
            return None
        self.calls += 1
        if claim.urgent:
            self._urgent[claim.id] = monotonic()
        call = asyncio.create_task(self._attempt(claim, lambda: self._still_ours(claim)))
        self._leases.watch(claim.id, call)
        return call

    def _still_ours(self, claim: Claim) -> bool:
        """Whether a second request of a call may follow: the lease holds, and nothing was paused or aborted since."""
        return self._leases.may_send(claim.id) and claim.gate == self._gate

    async def _end(self, call: "asyncio.Task[Ended]", claim: Claim) -> Ended | None:
        """How a call ended; None where it must not be settled: its claim passes, and is taken over as maybe sent."""
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

    async def _successor(self, slot: str) -> Claim | None:
        """The staged claim that may start now, by the order of the policy; asks for the gate where its word is old."""
        if self._stop.is_set() or not self._staging or not self._leases.holds(slot):
            return None
        if len(self._lanes) > self._most:
            return None
        if monotonic() - self._gate_at > GATE_FRESH_S:
            await self._check_gate()
            if monotonic() - self._gate_at > GATE_FRESH_S:
                return None
        claim = self._staging.pop(self._gate)
        if claim and not self._leases.may_send(claim.id):
            self._spawn(self._give_back([claim], []))
            return None
        return claim

    async def _check_gate(self) -> None:
        """Asks for the gate's version, and lets go of what was staged under another."""
        at = monotonic()
        with contextlib.suppress(LedgerError):
            self._learn_gate(await control.gate_version(self._ledger, self._account), at)

    def _learn_gate(self, version: int, at: float) -> None:
        self._gate_at = max(at, self._gate_at)
        if version > self._gate:
            self._gate = version
            stale = self._staging.drop_other_than(version)
            if stale:
                self._spawn(self._give_back(stale, []))

    async def _settle(self, claim: Claim, ended: Ended, slot: str, *, keep: bool) -> None:
        """Settles until the server has taken it: what happened must not be lost while this process lives."""
        mode = self._next_mode()
        ask = self._new_ask(mode) if mode else None
        rest = {slot: round(ended.rest_s * 1000)} if ended.rest_s else {}
        give = () if keep or rest else (slot,)
        settlement = Settlement(
            claim.id,
            ended.parts,
            give,
            rest,
            hold_ms=round(ended.hold_s * 1000),
            hold_why=ended.hold_why,
            listed=ended.listed,
            learnt=ended.learnt,
            trouble=ended.trouble,
            slow_s=ended.slow_s,
        )
        pause = _RETRY_S[0]
        while True:
            at = monotonic()
            try:
                ours, answer = await claims.settle(self._ledger, self._account, settlement, ask, self._terms)
                break
            except LedgerError as error:
                if monotonic() > self._ends_at:
                    log.warning("could not settle before the end: it is taken over as maybe sent", claim=claim.id)
                    self._forget(claim)
                    return
                log.debug("settling again", claim=claim.id, error=str(error))
                await asyncio.sleep(pause)
                pause = min(_RETRY_S[1], pause * 2)
            except Exception:
                log.exception("could not settle; the claim passes and is taken over", claim=claim.id)
                self._forget(claim)
                return
        self._forget(claim, left=ended.trouble is not None)
        if not ours:
            log.warning("claim lost", account=self._account, claim=claim.id, references=len(claim.references))
        if ask and answer:
            self._place(ask, answer, at)
        self._changed.set()

    async def _give_back(self, unsent: list[Claim], slots: list[str]) -> None:
        await self._give_back_ids([claim.id for claim in unsent], slots)

    async def _give_back_ids(self, ids: list[str], slots: list[str]) -> None:
        """Gives claims back unsent; where the server is away, their leases pass."""
        most = max(1, MOST_REFERENCES // self._terms.per_call)
        try:
            for at in range(0, max(1, len(ids)), most):
                await claims.release(
                    self._ledger, self._account, ids[at : at + most], slots if at == 0 else (), self._terms
                )
        except LedgerError as error:
            log.warning("could not give claims back; their leases will pass", claims=ids, error=str(error))
        for claim in ids:
            self._leases.drop(claim)
        self._changed.set()

    async def _on_stop(self) -> None:
        await self._stop.wait()
        self._ends_at = monotonic() + _SETTLE_WITHIN_S
        self._changed.set()

    async def _finish(self) -> None:
        """Gives back what is staged, and waits for calls in flight to end and be settled."""
        while self._staging or self._lanes or self._side:
            staged = self._staging.drop_all()
            if staged:
                await self._give_back(staged, [])
            pending = [*self._lanes.values(), *self._side]
            if pending:
                await asyncio.wait(pending)
        await self._flow.finish()
        with contextlib.suppress(LedgerError):
            await claims.leave(self._ledger, self._account, self._name)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(0.0, seconds))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)
