"""What a state that was read back means, and what one Get Consignment Status told."""

from dataclasses import dataclass
from enum import Enum

from jobs.outcomes import NOT_COUNTED, Answer, Failure, is_success, of_platform, refused_by_gateway
from jobs.references import normalise


class Standing(Enum):
    """What a state means for cancelling (platform's public guide, 'States')."""

    CANCELLED = "cancelled"
    PASSING = "passing"
    OPEN = "open"
    MANIFESTED = "manifested"
    STRANGE = "strange"


_LONGEST_STATE = 100
"""Characters of a state that are kept: it is written with the result, and the longest that is known has 22."""
_PASSING = frozenset({"cancelling", "allocating", "manifesting"})
_OPEN = frozenset({"unallocated", "allocationfailed", "allocated", "readytoship", "manifestfailed"})
_MANIFESTED = frozenset(
    {
        "manifested", "atdropoffpoint", "collected", "collectionfailed", "intransit", "intransitwaiting", "delayed",
        "outfordelivery", "deliveryfailed", "deliveryfailedcardleft", "delivered", "partiallydelivered",
        "delivereddamaged", "atcollectionpoint", "atcustoms", "heldbycarrier", "returntosender", "actionrequired",
        "exchangefailed", "carrierunabletocollect", "missing", "lost", "damaged",
    }
)  # fmt: skip


def standing(state: str) -> Standing:
    """What a state means for cancelling; of one that is not known nothing is concluded."""
    folded = state.strip().lower()
    if folded == "cancelled":
        return Standing.CANCELLED
    if folded in _PASSING:
        return Standing.PASSING
    if folded in _MANIFESTED:
        return Standing.MANIFESTED
    return Standing.OPEN if folded in _OPEN else Standing.STRANGE


@dataclass(frozen=True, slots=True)
class Found:
    """The state was read."""

    state: str
    status: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """The platform does not know the reference."""

    status: int


@dataclass(frozen=True, slots=True)
class Unread:
    """The state could not be read; `counted` says whether that burns a try."""

    reason: str
    status: int | None = None
    counted: bool = True


Reading = Found | Unknown | Unread


def judge_reading(reference: str, answer: Answer | Failure) -> Reading:
    """Says what one Get Consignment Status told about a reference."""
    match answer:
        case Failure(reason=reason, written=written):
            return Unread(reason, counted=written)
        case Answer(status=404, body=body) if of_platform(body):
            return Unknown(404)
        case Answer(status=status) if status in NOT_COUNTED or refused_by_gateway(answer):
            return Unread(f"HTTP {status}", status, counted=False)
        case Answer(status=status, body=body) if is_success(status) and isinstance(body, dict):
            named = body.get("ConsignmentReferenceForAllLegsAssignedByMpd")
            state = body.get("Status")
            if isinstance(named, str) and normalise(named) != reference:
                return Unread("the answer is about another reference", status)
            if isinstance(state, str) and state.strip():
                return Found(state.strip()[:_LONGEST_STATE], status)
            return Unread("the answer has no state", status)
        case Answer(status=status):
            return Unread(f"HTTP {status}", status)
