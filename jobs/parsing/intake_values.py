"""Reads the value of each field of an intake entry, or says what is wrong with it.

Every function raises MalformedEntryError where the value cannot be used.
"""

import re
from typing import Final

from cancellist.jobs.escaping import cut, shown
from cancellist.jobs.limits import parse_limit
from cancellist.jobs.model import MOST_IN_CANARY, Priority
from cancellist.jobs.times import parse_span_s, parse_when_ms, rfc3339

MAX_REASON: Final = 500
"""The most characters of the reason for a refusal."""
MAX_TEXT: Final = 500
"""The most characters of a value."""
SHOWN: Final = 60
"""The most characters of a value that a reason repeats."""
_COUNT: Final = re.compile(r"\d{1,12}", re.ASCII)


class MalformedEntryError(ValueError):
    """The entry cannot become a job; `str()` is the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(cut(reason, MAX_REASON))


def hold_ms_of(text: str | None) -> int:
    """The time in ms that the job is held; 0 where none is given."""
    if not text:
        return 0
    try:
        return round(parse_span_s(text) * 1000)
    except ValueError as error:
        raise MalformedEntryError(f"field 'hold': {shown(str(error))}") from None


def canary_of(text: str | None) -> int:
    """The references of the canary; 0 where none are asked for."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < SHOWN and 1 <= int(text) <= MOST_IN_CANARY):
        raise MalformedEntryError(f"field 'canary': {shown(text)} is no number from 1 to {MOST_IN_CANARY:,}")
    return int(text)


def snapshot_of(text: str | None) -> bool:
    """Whether the platform's records are kept."""
    said = (text or "false").strip().lower()
    if said not in {"true", "false"}:
        raise MalformedEntryError(f"field 'snapshot' is {quoted(said)}: write true or false")
    return said == "true"


def limit_of(name: str, text: str | None) -> str | None:
    """A limit of failures, as its text."""
    if not text:
        return None
    try:
        return str(parse_limit(text))
    except ValueError as error:
        raise MalformedEntryError(f"field {name!r}: {shown(str(error))}") from None


def count_of(text: str | None) -> int | None:
    """The number of references that there must be."""
    if not text:
        return None
    if not _COUNT.fullmatch(text.strip()):
        raise MalformedEntryError(f"field 'expect_count' is {quoted(text)}: write a whole number, such as 1200")
    return int(text)


def priority_of(text: str | None) -> Priority:
    """The priority; the usual one where none is given."""
    try:
        return Priority(text.strip().lower()) if text else Priority.NORMAL
    except ValueError:
        raise MalformedEntryError(f"priority {quoted(text or '')} is none of {', '.join(Priority)}") from None


def when_ms_of(name: str, text: str | None, now_ms: int) -> int | None:
    """The time that a field names."""
    if not text:
        return None
    if len(text) > MAX_TEXT:
        raise MalformedEntryError(f"field {name!r} is longer than {MAX_TEXT} characters")
    try:
        at_ms = parse_when_ms(text, now_ms=now_ms)
        rfc3339(at_ms)  # a time that cannot be written back would break every listing of the job
    except (ValueError, OverflowError) as error:
        raise MalformedEntryError(f"field {name!r}: {error}") from None
    return at_ms


def quoted(text: str) -> str:
    """A text from the entry in quotes, cut, with unprintable characters escaped."""
    return f"'{shown(cut(text, SHOWN))}'"
