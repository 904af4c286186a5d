"""Times of jobs: what the text of one means, and which cannot be met."""

from datetime import UTC, datetime, timedelta

from cancellist_client._memory.reading import refused
from cancellist_client._memory.safeguards import UNITS


def check_times(start_at: datetime | None, deadline: datetime | None, now: datetime) -> None:
    """Refuses a deadline that is past, and a start that is not before it."""
    if deadline is not None and deadline <= now:
        raise refused("the deadline is past", field="deadline")
    if deadline is not None and start_at is not None and start_at >= deadline:
        raise refused("the start is not before the deadline", field="start_at")


def is_ahead(at: datetime | None) -> bool:
    """Whether a time has not come."""
    return at is not None and at > datetime.now(UTC)


def time_of(when: str | None, now: datetime) -> datetime | None:
    """The time that a text names: RFC 3339, or a span such as `+2h`."""
    if when is None:
        return None
    if not when.startswith("+"):
        return datetime.fromisoformat(when)
    ahead = timedelta()
    number = ""
    for character in when[1:].lower():
        if character in UNITS:
            ahead += timedelta(seconds=float(number) * UNITS[character])
            number = ""
        else:
            number += character
    return now + ahead
