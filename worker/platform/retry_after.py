"""Parses Retry-After in any of its forms (RFC 9110, 10.2.3)."""

import re
from collections.abc import Iterable

from cancellist.worker.platform.dates import seconds_of

_DATES = re.compile(
    r"(?:[a-z]{3,9},?\s+)?\d{1,2}[ -][a-z]{3}[ -]\d{2,4}\s+\d{1,2}:\d\d:\d\d(?:\s+(?:[a-z]{1,5}\b|[+-]\d{4}))?"
    r"|[a-z]{3}\s+[a-z]{3}\s+\d{1,2}\s+\d{1,2}:\d\d:\d\d\s+\d{4}"
    r"|\d{4}-\d\d-\d\dt\d\d:\d\d:\d\d(?:\.\d+)?(?:z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE | re.ASCII,
)
"""IMF-fixdate and RFC 850, asctime, and ISO 8601, which is not standard here; a zone may be missing."""
_LONGEST = 1000
"""The most characters of a value; longer ones are ignored."""
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)


def wait_s(values: Iterable[str], sent_at: float) -> float | None:
    """The seconds to wait: the most that any value asks for, at least 0; None where no value can be read.

    Args:
        values: the values of each Retry-After header. One may hold several, since a proxy may join headers by commas.
        sent_at: when the answer was sent, by the platform's clock, in seconds since 1970.
    """
    waits = [wait for value in values for wait in _waits(value, sent_at)]
    return max(0.0, *waits) if waits else None


def _waits(value: str, sent_at: float) -> list[float]:
    if len(value) > _LONGEST:
        return []
    dates = [date for found in _DATES.findall(value) if (date := seconds_of(found)) is not None]
    numbers = [text for part in _DATES.sub(",", value).split(",") if _NUMBER.fullmatch(text := part.strip(' \t"'))]
    return [*(date - sent_at for date in dates), *map(float, numbers)]
