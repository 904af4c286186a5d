"""Points in time as HTTP headers write them."""

import re
from calendar import timegm
from datetime import UTC, datetime
from email.utils import parsedate_tz
from functools import lru_cache

_LONGEST = 64
"""Characters of a date at most; the longest form that RFC 9110 knows has 33."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)


def seconds_of(text: str) -> float | None:
    """The seconds since 1970 of a date; None where it is none.

    Read are all three forms of RFC 9110, 5.6.7, with whatever zone they name, and ISO 8601. A date without a zone is in
    GMT, as those of HTTP are: this machine's own zone never counts.
    """
    return _seconds_of(text.strip()) if len(text) <= _LONGEST else None


@lru_cache(maxsize=64)
def _seconds_of(text: str) -> float | None:
    try:
        if _ISO.match(text):
            date = datetime.fromisoformat(text)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        parts = parsedate_tz(text) or parsedate_tz(f"{text} GMT")  # it reads RFC 850 with a zone alone
        if parts is None:
            return None
        datetime(*parts[:6], tzinfo=UTC)  # else a 99th of the month would be a date
        return float(timegm(parts[:6]) - (parts[9] or 0))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
