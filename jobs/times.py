"""Points in time as users write them: RFC 3339 with an offset, or a span from now such as `+2h`.

Every accepted time can be written back: it lies in the years 1 to 9999 in UTC, the range of RFC 3339.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from cancellist.jobs.escaping import cut

_SPAN: Final = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.IGNORECASE | re.ASCII)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.IGNORECASE | re.ASCII)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):\d\d(?::\d\d(?:\.\d+)?)?)(?:([Zz])|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_S: Final = 10_000 * 366 * 86400
"""No calendar holds a longer span."""
_SHOWN: Final = 60
"""Characters of the user's text that an error repeats."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - it is only compared with other times in UTC
_MS: Final = timedelta(milliseconds=1)
FIRST_MS: Final = (datetime.min - _EPOCH) // _MS  # noqa: DTZ901 - as above
"""The beginning of the year 1."""
LAST_MS: Final = (datetime.max - _EPOCH) // _MS  # noqa: DTZ901 - as above
"""The end of the year 9999."""
_DAY_MS: Final = 86_400_000


def parse_span_s(text: str) -> float:
    """The seconds of a span such as `30d`, `1h30m` or `90` (seconds).

    Raises:
        ValueError: the text is no span, or too long; the message says what to write.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        seconds = float(text)
    elif _SPAN.fullmatch(text):
        seconds = _seconds(text)
    else:
        raise ValueError(f"{_quoted(text)} is not a span; write such as 30s, 15m, 2h, 7d or 1h30m")
    if seconds > _LONGEST_S:
        raise ValueError(f"{_quoted(text)} is longer than 10,000 years; write such as 2h or 7d")
    return seconds


def parse_when_ms(text: str, *, now_ms: int) -> int:
    """The Unix milliseconds of a time that a user wrote.

    Raises:
        ValueError: the text is no time, has no offset, or lies outside of the years 1 to 9999 in UTC; the message
            says what to write.
    """
    text = text.strip()
    if text.startswith("+") and _SPAN.fullmatch(text[1:]):
        at_ms = now_ms + round(min(_seconds(text), _LONGEST_S) * 1000)
    else:
        at_ms = _instant_ms(text, now_ms)
    if not FIRST_MS <= at_ms <= LAST_MS:
        raise ValueError(
            f"{_quoted(text)} lies outside of the years 1 to 9999 in UTC; write such as {_example(now_ms)}"
        )
    return at_ms


def parse_since_ms(text: str, *, now_ms: int) -> int:
    """The Unix milliseconds of a time in the past that a user wrote: RFC 3339, or a span back such as `2h` or `-2h`.

    Raises:
        ValueError: the text is neither; the message says what to write.
    """
    text = text.strip()
    if _SPAN.fullmatch(text.removeprefix("-")):
        return max(FIRST_MS, now_ms - round(min(_seconds(text), _LONGEST_S) * 1000))
    if text.startswith("+") and _SPAN.fullmatch(text[1:]):
        raise ValueError(f"{_quoted(text)} lies ahead; a span back is written without +, such as 2h")
    if _NUMBER.fullmatch(text.removeprefix("-")):
        raise ValueError(f"{_quoted(text)} has no unit; write such as 30m, 2h or 7d, or {_example(now_ms)}")
    return parse_when_ms(text, now_ms=now_ms)


def rfc3339(at_ms: int | None) -> str | None:
    """Unix milliseconds as RFC 3339 in UTC. A time outside of the years 1 to 9999 becomes the nearest inside."""
    if at_ms is None:
        return None
    at = _EPOCH + min(max(at_ms, FIRST_MS), LAST_MS) * _MS
    return at.isoformat(timespec="milliseconds") + "Z"


def _seconds(span: str) -> float:
    return sum(float(number) * _UNIT_S[unit.lower()] for number, unit in _PART.findall(span))


def _instant_ms(text: str, now_ms: int) -> int:
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(_mend(text, now_ms))
    day, clock, _, sign, hours, minutes = found.groups()
    try:
        local_ms = (datetime.fromisoformat(f"{day}T{clock}") - _EPOCH) // _MS
    except ValueError as error:
        raise ValueError(f"{_quoted(text)} is not a time ({error}); write such as {_example(now_ms)} or +2h") from None
    offset_ms = (int(hours) * 60 + int(minutes)) * 60_000 if sign else 0
    return local_ms + offset_ms if sign == "-" else local_ms - offset_ms


def _mend(text: str, now_ms: int) -> str:
    """Says what is wrong with a text that is no time, and what to write."""
    try:
        meant = datetime.fromisoformat(text.upper())
    except ValueError:
        if _SPAN.fullmatch(text):
            return f"{_quoted(text)} is not a time; a span from now begins with +, such as +2h"
        return f"{_quoted(text)} is not a time; write such as {_example(now_ms)} or +2h"
    aware = meant.tzinfo is not None
    wrong = "is not written as RFC 3339 has it" if aware else "has no offset from UTC"
    written = (meant if aware else meant.replace(tzinfo=UTC)).isoformat()
    if not _INSTANT.fullmatch(written):  # an offset with seconds
        written = _example(now_ms)
    return f"{_quoted(text)} {wrong}; write {written}, or a span from now such as +2h"


def _example(now_ms: int) -> str:
    """Tomorrow evening: an example that is never past."""
    day = min(max(now_ms, FIRST_MS) // _DAY_MS + 1, LAST_MS // _DAY_MS)
    return (_EPOCH + timedelta(days=day, hours=18)).isoformat() + "+00:00"


def _quoted(text: str) -> str:
    return repr(cut(text, _SHOWN))
