"""When a request is sent again.

Again: connection errors, 429, 502, 503, 504, and 409 while the first request with the same idempotency key is under
way. Never again: every other refusal, and a certificate that is not trusted. The wait after attempt n, from 0, is drawn
from 0 to min(cap, base * 2**n), or is what the server asks for by `Retry-After` and a little more, so that not all come
back at once. Pure.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cancellist_client.errors import (
    ApiError,
    CancellistError,
    InProgress,
    RateLimited,
    ServerUnavailable,
    TlsError,
    TransportError,
)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait, and how often.

    Attributes:
        retries: how many attempts follow the first.
        base_s: the longest first wait.
        cap_s: the longest wait.
        asked_cap_s: the longest wait that a server may ask for; beyond it the error is raised.
    """

    retries: int = 5
    base_s: float = 0.25
    cap_s: float = 10.0
    asked_cap_s: float = 120.0

    def wait_s(self, attempt: int, error: CancellistError, chance: float) -> float | None:
        """How long to wait after this attempt, from 0; None where there is no other one.

        Args:
            attempt: its number.
            error: how it ended.
            chance: drawn from 0 to 1.
        """
        if attempt >= self.retries or not may_pass(error):
            return None
        longest = min(self.cap_s, self.base_s * 2.0**attempt)
        asked = error.retry_after if isinstance(error, ApiError) else None
        if asked is None:
            return chance * longest
        return None if asked > self.asked_cap_s else asked + chance * self.base_s


def may_pass(error: CancellistError) -> bool:
    """Whether the same request may do better later."""
    if isinstance(error, TlsError):
        return False
    return isinstance(error, TransportError | InProgress | RateLimited | ServerUnavailable)


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds of a `Retry-After`, which is a number or a date; None where it is neither."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
