"""What guards a job in memory, as the server has it: how long it is held, and what halts it."""

import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cancellist_client._memory.reading import refused
from cancellist_client.models import Outcome
from cancellist_client.options import Options

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN: Final = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.IGNORECASE | re.ASCII)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.IGNORECASE | re.ASCII)
_SECONDS: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_LIMIT: Final = re.compile(r"\s*(\d{1,9})(?:(\.\d{1,6})?\s*(%))?\s*", re.ASCII)
_ALL: Final = 100
_KINDS: Final = {
    Outcome.CANCELLED: None,
    Outcome.ALREADY_CANCELLED: None,
    Outcome.MANIFESTED: "refused",
    Outcome.NOT_FOUND: "refused",
    Outcome.REJECTED: "refused",
    Outcome.UNCONFIRMED: "unconfirmed",
    Outcome.FAILED: "unconfirmed",
}
_LEAST: Final = 50
"""Results from which a share of them counts."""
_BUCKET: Final = 100
_BUCKETS: Final = 10


def span(text: str) -> timedelta:
    """A span such as `1h30m` or `90` (seconds).

    Raises:
        InputError: it is none.
    """
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=float(text))
    if not _SPAN.fullmatch(text):
        raise refused(f"{text!r} is not a span; write such as 30s, 15m, 2h or 1h30m", field="hold", code="validation")
    parts = [(float(number), unit.lower()) for number, unit in _PART.findall(text)]
    return timedelta(seconds=sum(number * UNITS[unit] for number, unit in parts))


@dataclass(frozen=True)
class _Limit:
    kind: str
    text: str
    number: float
    percent: bool

    @classmethod
    def of(cls, kind: str, text: str) -> "_Limit":
        found = _LIMIT.fullmatch(text)
        if found is None or (found[3] and float(found[1] + (found[2] or "")) > _ALL):
            said = f"{text[:40]!r} is neither a number such as 20 nor a share such as 10%"
            raise refused(said, field=f"max_{kind}", code="validation")
        number = float(found[1] + (found[2] or ""))
        return cls(kind, f"{number:g}{found[3] or ''}", number, bool(found[3]))


class FailureStop:
    """Halts a job once too many of its results are refused, or unconfirmed.

    Args:
        options: they have the limits.
        total: how many results the job will have.

    Attributes:
        halted: why it is halted, as the server's document has it; None where it is not.
    """

    def __init__(self, options: Options, total: int) -> None:
        given = (("refused", options.max_refused), ("unconfirmed", options.max_unconfirmed))
        self._limits = [_Limit.of(kind, text) for kind, text in given if text]
        self._total = total
        self._forgiven = 0
        self._since = {"results": 0, "refused": 0, "unconfirmed": 0}
        self._recent: deque[dict[str, int]] = deque(maxlen=_BUCKETS)
        self.halted: dict[str, Any] | None = None

    def limits(self, kind: str) -> list[str]:
        """The limits of a kind of failure."""
        return [limit.text for limit in self._limits if limit.kind == kind]

    def count(self, outcome: Outcome) -> None:
        """Counts a result of a call, and halts the job where a limit is passed."""
        if outcome not in _KINDS or not self._limits:
            return
        if not self._recent or self._recent[-1]["results"] >= _BUCKET:
            self._recent.append({"results": 0, "refused": 0, "unconfirmed": 0})
        for counts in (self._since, self._recent[-1]):
            counts["results"] += 1
            if kind := _KINDS[outcome]:
                counts[kind] += 1
        recent = {name: sum(bucket[name] for bucket in self._recent) for name in self._since}
        total = self._total - self._forgiven
        why = (_passed(limit, self._since, recent, total) for limit in self._limits)
        self.halted = next(filter(None, why), None)

    def forgive(self) -> None:
        """Lets the job go on: it is counted anew."""
        self._forgiven += self._since["results"]
        self._since = dict.fromkeys(self._since, 0)
        self._recent.clear()
        self.halted = None


def _passed(limit: _Limit, since: dict[str, int], recent: dict[str, int], total: int) -> dict[str, Any] | None:
    if not limit.percent:
        return _why(limit, since, recent=False) if since[limit.kind] > limit.number else None
    if _share(limit, since) or since[limit.kind] * 100 > limit.number * total:
        return _why(limit, since, recent=False)
    return _why(limit, recent, recent=True) if _share(limit, recent) else None


def _share(limit: _Limit, counts: dict[str, int]) -> bool:
    return counts["results"] >= _LEAST and counts[limit.kind] * 100 > limit.number * counts["results"]


def _why(limit: _Limit, counts: dict[str, int], *, recent: bool) -> dict[str, Any]:
    found, results = counts[limit.kind], counts["results"]
    among = f"the last {results:,} results" if recent else f"{results:,} results"
    return {
        "why": f"{found:,} of {among} are {limit.kind}, more than the limit of {limit.text}",
        "counted": limit.kind,
        "limit": limit.text,
        "found": found,
        "results": results,
        "among": "window" if recent else "job",
        "at": datetime.now(UTC).isoformat(),
    }
