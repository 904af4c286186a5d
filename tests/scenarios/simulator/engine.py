"""Workers and the ledger in virtual time, around the pure controllers.

A slot is one call in flight over all workers. Each worker counts its attempts and posts the counters: every quarter of
a second, and at once after anything but an accepted call. Whoever posts moves the flow when that is due.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from math import floor
from operator import attrgetter
from random import Random
from typing import NamedTuple

from cancellist.jobs.flow import controller, events
from cancellist.jobs.flow.controller import FlowPolicy, FlowState
from cancellist.jobs.flow.counters import Counters, Tally
from cancellist.jobs.flow.signals import AttemptSignal, Signal
from tests.scenarios.simulator.lists import Lists
from tests.scenarios.simulator.platforms import Answered, Ending, Phase, Platform

POST_MS = 250.0
MOVE_MS = 200.0
URGENT_MS = 20.0
"""So soon after the last a worker posts again at most."""
QUIET_MS = 1000.0
"""While calls are in flight a worker posts as often even if none has ended."""
GAP_MS = 1.0
"""From one call's end to the next one's first byte."""
LEASE_MS = 9_000.0
EPOCH_MS = 1_000_000
WELL = frozenset({Ending.ACCEPTED, Ending.TOO_LONG})
_OVERLOAD = frozenset({Ending.REFUSED, Ending.OVERLOADED})
_LANES = attrgetter("lanes")
SIGNALS = {
    Ending.ACCEPTED: Signal.ACCEPTED,
    Ending.TOO_LONG: Signal.ACCEPTED,
    Ending.REFUSED: Signal.REFUSED,
    Ending.OVERLOADED: Signal.REFUSED,
    Ending.FAILED: Signal.FAILED,
    Ending.DENIED: Signal.DENIED,
    Ending.TIMED_OUT: Signal.TIMED_OUT,
}


@dataclass(slots=True)
class Worker:
    """One drain."""

    name: str
    lanes: int = 0
    tally: Tally = field(default_factory=Tally)
    news: bool = True
    round_ms: float = 100.0
    posted_ms: float = -URGENT_MS
    waiting: bool = False


class Call(NamedTuple):
    """An attempt that is made."""

    id: int
    worker: Worker
    references: int
    size: int
    probe: bool


class Ended(NamedTuple):
    """An attempt that has ended."""

    at_ms: float
    ending: Ending
    references: int
    probe: bool
    chance: bool


def shown(ending: Ending, took_ms: float, told_s: float | None) -> AttemptSignal:
    """What an attempt showed that ended so."""
    return AttemptSignal(SIGNALS[ending], took_ms, told_s is not None, overload=ending is Ending.OVERLOADED)


class Engine:
    """Runs events in order of their time."""

    def __init__(self, platform: Platform, policy: FlowPolicy, workers: int, random: Random) -> None:
        self.now_ms = 0.0
        self.platform = platform
        self.policy = policy
        self.workers = [Worker(f"w{n}") for n in range(workers)]
        self.state: FlowState | None = None
        self.ended: list[Ended] = []
        self.limits: list[tuple[float, float]] = []
        self.changes: list[tuple[float, events.Change]] = []
        self.most_at_once = 0
        self._random = random
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._slots = 0
        self._posted: dict[str, Counters] = {}
        self._moved_ms = -MOVE_MS
        self._hold_ms = 0.0
        self._tat_ms = 0.0
        self._probing = self._probed = False
        self._explored = 0
        self._lists = Lists(policy.list_size.explore_every)
        self._ids = count(1)
        self._pump_at = -1.0
        self._move()
        for worker in self.workers:
            self.at(random.random() * POST_MS, self._ticking(worker))
        self.at(0.0, self._pump)

    def at(self, time_ms: float, do: Callable[[], None]) -> None:
        """Does something at a time."""
        heapq.heappush(self._events, (time_ms, next(self._order), do))

    def run(self, until_ms: float) -> None:
        """Runs all events before a time."""
        while self._events and self._events[0][0] < until_ms:
            self.now_ms, _, do = heapq.heappop(self._events)
            do()
        self.now_ms = until_ms

    def resume(self) -> None:
        """A person resumes the account."""
        self.state = controller.probe_now(self._flow, self._clock)
        self._pump()

    def enter(self, phase: Phase) -> None:
        """The platform is another from now on, and there may be work again."""
        idle, self.platform.phase = self.platform.phase.idle, phase
        if idle:
            self._pump()

    @property
    def _flow(self) -> FlowState:
        assert self.state
        return self.state

    @property
    def _clock(self) -> int:
        return EPOCH_MS + round(self.now_ms)

    def _pump(self) -> None:
        """Starts what may start now, as the claim script would grant it."""
        while True:
            wait_ms = self._start_one()
            if wait_ms is None:
                return
            if wait_ms > 0:
                self._pump_later(self.now_ms + wait_ms)
                return

    def _pump_later(self, at_ms: float) -> None:
        if self._pump_at <= self.now_ms or at_ms < self._pump_at:
            self._pump_at = at_ms
            self.at(at_ms, self._pump)

    def _start_one(self) -> float | None:
        """Starts a call; answers 0, or for how long none may start, or None where only an ended call can tell."""
        state = self._flow
        if self.platform.phase.idle:
            return None
        if self.now_ms < self._hold_ms:
            return self._hold_ms - self.now_ms
        probe = not state.breaker.closed
        if probe and (self._probing or self._clock < state.breaker.next_probe_ms):
            return None if self._probing else max(1.0, state.breaker.next_probe_ms - self._clock)
        if self._slots >= (1 if probe else floor(state.limit)):
            return None
        interval_ms = max(self.policy.interval_us, state.interval_us) / 1000
        if interval_ms:
            if self._tat_ms > self.now_ms:
                return max(0.1, self._tat_ms - self.now_ms)
            self._tat_ms = self.now_ms + interval_ms
        self._probing = probe
        claim = next(self._ids)
        references, size = self._size(state, claim, probe=probe)
        self._slots += 1
        self.most_at_once = max(self.most_at_once, self._slots)
        worker = min(self.workers, key=_LANES)
        worker.lanes += 1
        call = Call(claim, worker, references, size, probe)
        self.at(self.now_ms + GAP_MS * (0.5 + self._random.random()), lambda: self._send(call))
        return 0.0

    def _size(self, state: FlowState, claim: int, *, probe: bool) -> tuple[int, int]:
        """How many references a call names, and how many it might have named."""
        most = self._lists.most(self.policy.max_references)
        size = min(most, state.list_size or most)
        if state.explore and state.explorations != self._explored:
            self._explored = state.explorations
            return min(most, state.explore), size
        longer = self._lists.longer(self.policy.max_references) if size == self._lists.size and not probe else None
        if longer:
            self._lists.trial = claim
        return longer or size, size

    def _send(self, call: Call) -> None:
        answered = self.platform.arrive(call.references, self.now_ms)
        self.at(self.now_ms + answered.took_ms, lambda: self._end(call, answered))

    def _end(self, call: Call, answered: Answered) -> None:
        worker, ending, took_ms, told_s = call.worker, answered.ending, answered.took_ms, answered.told_s
        self.ended.append(Ended(self.now_ms, ending, call.references, call.probe, answered.chance))
        worker.tally.add(
            shown(ending, took_ms, told_s), kind="reads" if self.platform.phase.reads else "calls", probe=call.probe,
            references=call.references, size=call.size,
            timed=ending is not Ending.TOO_LONG,
        )  # fmt: skip
        worker.news = True
        if ending is Ending.ACCEPTED:
            self.platform.leave()
            worker.round_ms += 0.1 * (took_ms - worker.round_ms)
            self._lists.take(call.references, call.id)
        elif ending is Ending.TOO_LONG:
            self._lists.refuse(call.references, call.id)
        else:
            self._lists.lapse(call.id)
        if told_s:
            self._hold_ms = max(self._hold_ms, self.now_ms + told_s * 1000)
        self._probed = self._probed or call.probe
        if (ending not in WELL or call.probe) and not worker.waiting:
            worker.waiting = True
            self.at(max(self.now_ms, worker.posted_ms + URGENT_MS), lambda: self._post(worker, urgent=True))
        rest_ms = self._rest_ms(call, answered)
        if rest_ms:
            self.at(self.now_ms + rest_ms, lambda: self._free(worker))
        else:
            self._free(worker)

    def _rest_ms(self, call: Call, answered: Answered) -> float:
        """For how long the slot of an ended call stays taken."""
        ending = answered.ending
        if ending is Ending.TIMED_OUT:
            return min(answered.took_ms, LEASE_MS)
        return call.worker.round_ms if ending in _OVERLOAD and not call.probe else 0.0

    def _free(self, worker: Worker) -> None:
        self._slots -= 1
        worker.lanes -= 1
        self._pump()

    def _ticking(self, worker: Worker) -> Callable[[], None]:
        def tick() -> None:
            quiet = worker.lanes and self.now_ms - worker.posted_ms >= QUIET_MS
            shared = self._moved_ms < worker.posted_ms
            if quiet or shared or worker.news:
                self._post(worker, urgent=False)
            self.at(self.now_ms + POST_MS, tick)

        return tick

    def _post(self, worker: Worker, *, urgent: bool) -> None:
        self._posted[worker.name] = worker.tally.counters()
        worker.tally.shared()
        worker.news = False
        worker.posted_ms, worker.waiting = self.now_ms, worker.waiting and not urgent
        if urgent or self.now_ms - self._moved_ms >= MOVE_MS:
            self._move()
            self._pump()

    def _move(self) -> None:
        before = self.state
        if self._probed:
            # Until the flow has been told how a probe went there is no other.
            self._probing = self._probed = False
        self._moved_ms = self.now_ms
        self.state = controller.step(
            before,
            self._posted,
            self._slots,
            self.policy,
            self._clock,
            self._random.random(),
            list_bound=self._lists.size,
        )
        self.changes += [(self.now_ms, change) for change in events.changes(before, self.state)]
        self.limits.append((self.now_ms, self.state.limit))
