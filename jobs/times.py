"""WHEN: a point in time as RFC 3339 with an offset, or a span from now such as `+2h`."""

import re
from datetime import UTC, datetime

_SPAN = re.compile(r"\+((?:\d+(?:\.\d+)?[smhdw])+)", re.IGNORECASE)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.IGNORECASE)
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999, which is as far as RFC 3339 goes."""
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_span_s(text: str) -> float:
    """Seconds of a span such as `30d`, `1h30m` or `90` (seconds).

    Raises:
        ValueError: it is not one; the text says what is.
    """
    text = text.strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(?:\d+(?:\.\d+)?[smhdw])+", text, re.IGNORECASE):
        raise ValueError(f"{text!r} is not a span; write such as 30s, 15m, 2h, 7d or 1h30m")
    return sum(float(n) * _UNIT_S[u.lower()] for n, u in _PART.findall(text))


def parse_when_ms(text: str, *, now_ms: int) -> int:
    """Unix milliseconds of a WHEN.

    Raises:
        ValueError: it is none, has no offset, or lies beyond the year 9999; the text says what to write.
    """
    text = text.strip()
    if _SPAN.fullmatch(text):
        at_s = now_ms / 1000 + parse_span_s(text[1:])
        if at_s * 1000 > _LAST_MS:
            raise ValueError(f"{text[:40]!r} lies beyond the year 9999")
        return round(at_s * 1000)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write such as 2026-11-23T18:00:00+00:00 or +2h") from None
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC; write {text}+00:00, or a span from now such as +2h")
    return round(at.timestamp() * 1000)


def rfc3339(at_ms: int | None) -> str | None:
    """Unix milliseconds as RFC 3339 in UTC."""
    if at_ms is None:
        return None
    whole, rest = divmod(at_ms, 1000)
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:03d}Z"
