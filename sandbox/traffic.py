"""The calls, their counts, and the limits that refuse calls. The time is an argument."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Final

from cancellist.sandbox.options import Settings
from cancellist.sandbox.routes import CANCELS, Endpoint

_CALLS_KEPT: Final = 100_000
_SLICE: Final = 1_000


@dataclass(slots=True)
class Call:
    """One call.

    `started_s` and `ended_s` are of a monotonic clock, `started_at` of the wall's; `ended_s` is None while it runs,
    `status` where the connection was closed without an answer.
    """

    number: int
    endpoint: Endpoint
    started_s: float
    started_at: float
    ended_s: float | None = None
    references: int = 0
    status: int | None = None
    fault: str | None = None


class Traffic:
    """Counts of calls, and the last 100,000 of them.

    `to_act_late` counts the failed calls that have yet to take effect. At 0 the record is final.
    """

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.in_flight = 0
        self.to_act_late = 0
        self._number = 0
        self._calls: deque[Call] = deque(maxlen=_CALLS_KEPT)
        self.reset(started_at)

    def reset(self, at: float) -> None:
        """Sets the counts back to nothing; calls in flight stay counted, the list of calls stays."""
        self._since = at
        self._by_endpoint: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()
        self._by_fault: Counter[str] = Counter()
        self._peak_in_flight = self.in_flight
        self._window: deque[float] = deque()
        self._peak_cancels = 0
        self._references = 0
        self._duplicates = 0
        self._largest = 0

    def begin(self, endpoint: Endpoint, now_s: float, at: float) -> Call:
        """Notes that a call arrived."""
        self._number += 1
        call = Call(self._number, endpoint, now_s, at)
        self._calls.append(call)
        self._by_endpoint[str(endpoint)] += 1
        self.in_flight += 1
        self._peak_in_flight = max(self._peak_in_flight, self.in_flight)
        if endpoint in CANCELS:
            self._window.append(now_s)
            while self._window[0] <= now_s - 1:
                self._window.popleft()
            self._peak_cancels = max(self._peak_cancels, len(self._window))
        return call

    def name(self, call: Call, references: int, distinct: int) -> None:
        """Notes how many references a call named, and how many of them were different."""
        call.references = references
        if call.endpoint in CANCELS:
            self._references += references
            self._duplicates += references - distinct
            self._largest = max(self._largest, references)

    def end(self, call: Call, now_s: float) -> None:
        """Notes that a call was answered or its connection closed."""
        call.ended_s = now_s
        self.in_flight -= 1
        self._by_status["none" if call.status is None else str(call.status)] += 1
        if call.fault:
            self._by_fault[str(call.fault)] += 1

    def stats(self) -> dict[str, object]:
        """Returns the counts since the start or the last reset."""
        return {
            "started_at": self.started_at,
            "since": self._since,
            "calls": dict(self._by_endpoint),
            "answers": dict(self._by_status),
            "faults": dict(self._by_fault),
            "in_flight": self.in_flight,
            "to_act_late": self.to_act_late,
            "peak_in_flight": self._peak_in_flight,
            "peak_cancel_calls_per_second": self._peak_cancels,
            "references_named": self._references,
            "duplicates_in_lists": self._duplicates,
            "largest_list": self._largest,
        }

    def calls(self, since: int) -> Iterator[list[dict[str, object]]]:
        """Yields, in slices, the calls with a number above `since`, oldest first."""
        kept = [call for call in self._calls if call.number > since]
        rest = iter(kept)
        while part := list(islice(rest, _SLICE)):
            yield [asdict(call) for call in part]


class Gate:
    """Admits a call, or returns the limit that refuses it."""

    def __init__(self) -> None:
        self._inside = 0
        self._admitted: deque[float] = deque()

    def enter(self, now_s: float, settings: Settings) -> str | None:
        """Admits a call, which must `leave` later, or returns the text of the refusal."""
        if settings.capacity is not None and self._inside >= settings.capacity:
            return "Too many requests at once."
        if settings.rate is not None and not self._has_turn(now_s, settings.rate):
            return "Rate limit is exceeded. Try again later."
        self._inside += 1
        return None

    @property
    def inside(self) -> int:
        """How many calls are worked on."""
        return self._inside

    def leave(self) -> None:
        """Notes that a call that was let in has ended."""
        self._inside -= 1

    def _has_turn(self, now_s: float, rate: float) -> bool:
        """Counts over a window of a second, or over the longer or shorter one that holds a whole number of calls."""
        calls = max(1, int(rate))
        opens = now_s - calls / rate
        while self._admitted and self._admitted[0] <= opens:
            self._admitted.popleft()
        if len(self._admitted) >= calls:
            return False
        self._admitted.append(now_s)
        return True
