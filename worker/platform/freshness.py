"""Works out how old an answer was when it came, since a cache on the way may have kept it.

The clocks of two hosts differ, so a `Date` is not compared with our clock but with the platform's, which is learnt from
its answers.
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median_low

_ROUNDING_S = 2.0
"""A `Date` has whole seconds, and an answer takes time to arrive."""
_SAMPLES = 15
_STANDS_STILL_S = 3.0
_AGE = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Sample:
    date_s: float
    at_s: float

    @property
    def lead_s(self) -> float:
        """The difference from our monotonic clock to the platform's clock."""
        return self.date_s - self.at_s


class PlatformClock:
    """The platform's clock, learnt from the `Date` of its answers; `at_s` is always by our monotonic clock.

    No cache keeps an answer to PUT, so the median of the last few gives the time; one host with a wrong clock among
    several does not change it. Without a PUT, the newest answer to a GET gives it: a cache may have kept it for a
    while, but it was not made in the future. A clock that stands still is ignored.
    """

    def __init__(self) -> None:
        self._made: deque[_Sample] = deque(maxlen=_SAMPLES)
        self._perhaps_kept: deque[_Sample] = deque(maxlen=_SAMPLES)

    def learn(self, date_s: float, at_s: float, *, kept: bool) -> None:
        """Learns from the `Date` of an answer that came at `at_s`; `kept` says that a cache may have kept it."""
        (self._perhaps_kept if kept else self._made).append(_Sample(date_s, at_s))

    def now(self, at_s: float) -> float | None:
        """The time by the platform's clock, in seconds since 1970; None where it is not known."""
        if self._made:
            return None if _stands_still(self._made) else at_s + median_low(one.lead_s for one in self._made)
        return at_s + max(one.lead_s for one in self._perhaps_kept) if self._perhaps_kept else None


def _stands_still(samples: deque[_Sample]) -> bool:
    first, last = samples[0], samples[-1]
    return last.at_s - first.at_s > _STANDS_STILL_S and len({one.date_s for one in samples}) == 1


def age_s(ages: Iterable[str], date_s: float | None, now_s: float | None) -> float:
    """The least age of an answer in seconds; 0 where nothing shows an age.

    Args:
        ages: the values of each `Age` header (RFC 9111, 5.1); the largest counts.
        date_s: its `Date`, by the platform's clock.
        now_s: the present time by that clock.
    """
    said = [float(part) for value in ages for one in value.split(",") if _AGE.fullmatch(part := one.strip())]
    behind_s = now_s - date_s if now_s is not None and date_s is not None else 0.0
    return max(0.0, *said, behind_s if behind_s > _ROUNDING_S else 0.0)


def unmodified_s(modified_s: float | None, date_s: float | None, age: float, now_s: float | None) -> float | None:
    """The seconds from the last change of an answer's content to its arrival; None where nothing shows it.

    Args:
        modified_s: its `Last-Modified`.
        date_s: its `Date`, by the same clock.
        age: its age in seconds when it came.
        now_s: the present time by the platform's clock, for an answer without a `Date`.
    """
    came_s = date_s + age if date_s is not None else now_s
    return max(0.0, came_s - modified_s) if modified_s is not None and came_s is not None else None
