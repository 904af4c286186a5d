"""What became of a reference, in the platform's form: an item of a list, or the answer for one alone. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cancellist.jobs.model import Outcome

DONE: Final = "Consignment cancellation completed successfully"
"""The platform's words of success."""
UNKNOWN: Final = "unknown"
"""Stands in `Cancellist-Outcomes` for references whose results are no longer kept."""
_CANNOT: Final = "consignment_cannot_be_cancelled"
_NOT_FOUND: Final = "consignment_not_found"


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a reference.

    Attributes:
        reference: as it was asked.
        outcome: None where its result is no longer kept.
        message: the platform's words, where the result has them.
    """

    reference: str
    outcome: Outcome | None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The status and the code of the answer for one alone."""

    status: int
    code: str


_CANCELLED: Final = frozenset({Outcome.CANCELLED, Outcome.ALREADY_CANCELLED})
_REFUSED: Final[Mapping[Outcome, tuple[Refusal, str]]] = {
    Outcome.MANIFESTED: (Refusal(400, _CANNOT), "Consignment {} cannot be cancelled because it is manifested"),
    Outcome.NOT_FOUND: (Refusal(404, _NOT_FOUND), "Consignment with reference {} could not be found"),
    Outcome.REJECTED: (Refusal(400, _CANNOT), "Consignment {} could not be cancelled"),
}
"""What the platform has refused: told in its words, else in these."""
_OPEN: Final[Mapping[Outcome, tuple[Refusal, str]]] = {
    Outcome.INVALID: (Refusal(404, _NOT_FOUND), "{} is not a consignment reference, and was not sent"),
    Outcome.UNCONFIRMED: (
        Refusal(504, "cancellation_unconfirmed"),
        "It is not known whether consignment {} was cancelled: read its state",
    ),
    Outcome.FAILED: (
        Refusal(504, "cancellation_failed"),
        "Consignment {} was not cancelled, and not refused: the platform did not take the call. Send it again",
    ),
    Outcome.EXPIRED: (
        Refusal(504, "cancellation_expired"),
        "Consignment {} was not cancelled, and not refused: its time had passed before the platform was called",
    ),
    Outcome.ABORTED: (
        Refusal(504, "cancellation_aborted"),
        "Consignment {} was not cancelled, and not refused: its job was aborted before the platform was called",
    ),
}
"""What the platform has said nothing of: told in these words alone."""
_GONE: Final = (
    Refusal(504, "cancellation_unknown"),
    "It is not known whether consignment {} was cancelled: its result is no longer kept. Read its state",
)


def succeeded(became: Became) -> bool:
    """Whether it is cancelled for sure."""
    return became.outcome in _CANCELLED


def words(became: Became) -> str:
    """The message about it."""
    if succeeded(became):
        return DONE
    refused = _REFUSED.get(became.outcome) if became.outcome else None
    if refused and became.message:
        return became.message
    return _told(became)[1].format(became.reference)


def item(became: Became) -> dict[str, Any]:
    """It as one item of a list."""
    return {"IsSuccess": succeeded(became), "Message": words(became), "Data": became.reference, "ApiLinks": None}


def refusal(became: Became) -> Refusal | None:
    """The status and code for it alone; None where it is cancelled for sure."""
    return None if succeeded(became) else _told(became)[0]


def _told(became: Became) -> tuple[Refusal, str]:
    if became.outcome is None:
        return _GONE
    return _REFUSED.get(became.outcome) or _OPEN[became.outcome]


def tally(counts: Mapping[Outcome | None, int]) -> str:
    """The header `Cancellist-Outcomes`: how many references each outcome has, as a dictionary of RFC 9651."""
    ordered = [*Outcome, None]
    return ", ".join(f"{one.value if one else UNKNOWN}={counts[one]}" for one in ordered if counts.get(one))
