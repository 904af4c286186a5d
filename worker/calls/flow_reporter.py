"""Flow control of one drain: shares what its attempts show, and moves the account's state in turn with other drains."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from time import monotonic

import structlog

from cancellist.jobs.diagnostics.advice import SettingNames
from cancellist.jobs.errors import LedgerError
from cancellist.jobs.flow import controller
from cancellist.jobs.flow.controller import FlowPolicy
from cancellist.jobs.flow.counters import Tally
from cancellist.jobs.flow.events import Change, changes
from cancellist.jobs.flow.signals import Signal
from cancellist.jobs.ledger import flow_state
from cancellist.jobs.ledger.claims import Claim
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.flow_state import Move
from cancellist.worker.calls.attempt_result import AttemptResult
from cancellist.worker.outage_log import tell_refused

log = structlog.get_logger()

_SHARE_EVERY_S = 0.25
_MOVE_EVERY_MS, _NEVER_MS = 200, 2**40
_TRIES = 3
_AWAY_S, _TOLD_WITHIN_S, _IDLE_S = 0.5, 1.0, 0.5
_URGENT_EVERY_S = 0.02
"""The least time between two shares, however many attempts fail."""


class FlowReporter:
    """Shares what a drain's attempts show: four times a second, and at once after a refusal or failure."""

    def __init__(self, ledger: Ledger, account: str, drain: str, policy: FlowPolicy, wording: SettingNames) -> None:
        self._ledger = ledger
        self._account = account
        self._drain = drain
        self._policy = policy
        self._wording = wording
        self._tally = Tally()
        self._noted = asyncio.Event()
        self._urgent = asyncio.Event()
        self._count = self._shared_count = 0
        self._waiting: list[asyncio.Future[None]] = []

    def note(self, claim: Claim, ended: AttemptResult) -> None:
        """Counts the result of an attempt."""
        if ended.shown is None:
            return
        self._tally.add(
            ended.shown, kind=claim.kind, probe=claim.probe, references=len(claim.references), size=claim.size,
            timed=not ended.too_long,
        )  # fmt: skip
        self._count += 1
        self._noted.set()
        if claim.probe or ended.shown.sign is not Signal.ACCEPTED:
            self._urgent.set()

    async def keep(self, busy: Callable[[], bool]) -> None:
        """Shares new counts, and also without new ones while `busy`, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_S):
                    await self._noted.wait()
            if not (self._noted.is_set() or busy()):
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SHARE_EVERY_S):
                    await self._urgent.wait()
            began_at, urgent = monotonic(), self._urgent.is_set()
            await self._share(urgent=urgent)
            if urgent:
                await asyncio.sleep(max(0.0, began_at + _URGENT_EVERY_S - monotonic()))

    async def shared(self) -> None:
        """Waits until all noted results are shared, for at most a second, since the server may be away."""
        noted, until = self._count, monotonic() + _TOLD_WITHIN_S
        while self._shared_count < noted and monotonic() < until:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await asyncio.wait([turn], timeout=_TOLD_WITHIN_S)

    async def finish(self) -> None:
        """Shares the rest."""
        if self._noted.is_set():
            await self._share(urgent=True)

    async def _share(self, *, urgent: bool) -> None:
        self._noted.clear()
        self._urgent.clear()
        count = self._count
        try:
            due = await self._post(0 if urgent else _MOVE_EVERY_MS)
        except LedgerError as error:
            self._noted.set()  # shared once the server is back
            tell_refused(error, account=self._account)
            log.debug("flow not shared", account=self._account, error=str(error))
            await asyncio.sleep(_AWAY_S)
            return
        except Exception:  # no error may end this: without it the account has neither limit nor breaker
            self._noted.set()
            log.exception("flow not shared; it is tried again", account=self._account)
            await asyncio.sleep(_AWAY_S)
            return
        if not due:
            self._noted.set()  # a move is still to come, also if no further result follows soon
        self._shared_count = count
        if count == self._count:
            self._tally.shared()
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    async def _post(self, every_ms: int) -> bool:
        """Shares the counters, and moves the state if a move is due; tries again where another drain came first.

        Returns:
            Whether a move was due.
        """
        for _ in range(_TRIES):
            seen = await flow_state.share(
                self._ledger, self._account, self._drain, self._tally.counters(), every_ms=every_ms
            )
            if not seen.drains:
                return False
            state = controller.step(
                seen.state, seen.drains, seen.in_flight, self._policy, seen.now_ms, random.random(),
                list_bound=seen.list_size,
            )  # fmt: skip
            explore = state.explorations != (seen.state.explorations if seen.state else 0)
            shut = controller.shuts(seen.state, state, seen.in_flight)
            move = Move(seen.version, state, shut, explore, self._wording, self._policy.limiter.stale_ms)
            if (await flow_state.share(self._ledger, self._account, every_ms=_NEVER_MS, move=move)).moved:
                self._tell(changes(seen.state, state, self._wording))
                break
        return True

    def _tell(self, told: Sequence[Change]) -> None:
        """Logs the changes. Only the drain that moved the state logs them, so each is logged once."""
        for change in told:
            tell = log.warning if change.grave else log.debug if change.passing else log.info
            tell(change.event, account=self._account, **change.facts)
