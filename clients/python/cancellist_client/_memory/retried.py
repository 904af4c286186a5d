"""Which outcomes a job may be retried for."""

from collections.abc import Sequence
from typing import Final

from cancellist_client._memory.reading import refused
from cancellist_client.models import Outcome

GOOD: Final = frozenset({Outcome.CANCELLED, Outcome.ALREADY_CANCELLED})
_RETRIED: Final = frozenset({Outcome.FAILED, Outcome.UNCONFIRMED, Outcome.EXPIRED, Outcome.ABORTED})
_NEVER_RETRIED: Final = frozenset({*GOOD, Outcome.MANIFESTED, Outcome.INVALID})


def to_retry(outcomes: Sequence[str]) -> frozenset[str]:
    """The outcomes to retry: these, or the usual ones where there are none."""
    for word in outcomes:
        if word not in set(Outcome):
            raise refused(f"{word!r} is none of {', '.join(Outcome)}", field="outcome", code="validation")
        if word in _NEVER_RETRIED:
            raise refused(f"{word} cannot be retried", field="outcome", code="validation")
    return frozenset(outcomes) or _RETRIED
