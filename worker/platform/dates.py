"""Parses dates of HTTP headers."""

import re
from calendar import timegm
from datetime import UTC, datetime
from email.utils import parsedate_tz
from functools import lru_cache

_LONGEST = 64
"""The most characters of a date; the longest form in RFC 9110 has 33."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)


def seconds_of(text: str) -> float | None:
    """The seconds since 1970 of a date; None where the text is no date.

    It reads the three forms of RFC 9110, 5.6.7, with any zone, and ISO 8601. A date without a zone is in GMT, as HTTP
    has it. This machine's time zone never counts.
    """
    return _seconds_of(text.strip()) if len(text) <= _LONGEST else None


@lru_cache(maxsize=64)
def _seconds_of(text: str) -> float | None:
    try:
        if _ISO.match(text):
            date = datetime.fromisoformat(text)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        parts = parsedate_tz(text) or parsedate_tz(f"{text} GMT")  # it reads RFC 850 only with a zone
        if parts is None:
            return None
        datetime(*parts[:6], tzinfo=UTC)  # raises for impossible dates, which timegm accepts
        return float(timegm(parts[:6]) - (parts[9] or 0))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
