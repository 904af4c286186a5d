"""Judges the answer of one Get Consignment Status, and classes states by what they mean for cancelling."""

import math
from dataclasses import dataclass
from enum import Enum

from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import NOT_COUNTED, Answer, Failure, is_success, of_platform, refused_by_gateway
from cancellist.jobs.responses.answer_forms import REFERENCES, STATE, field, letters, record_of
from cancellist.jobs.responses.verdicts import OF_THE_CALLER


class StateClass(Enum):
    """The meaning of a state for cancelling. Source: the platform's public guide, 'States'."""

    CANCELLED = "cancelled"
    PASSING = "passing"
    OPEN = "open"
    MANIFESTED = "manifested"
    STRANGE = "strange"


_LONGEST_STATE = 100
"""Characters of a state that are kept with a result. The longest known state has 22."""
_SERVER_ERRORS = 500
_ROUNDING_S = 2.0
"""Times in headers are whole seconds."""
KNOWN_STATES = (
    "Unallocated", "Allocating", "AllocationFailed", "Allocated", "ReadyToShip", "Manifesting", "Manifested",
    "ManifestFailed", "AtDropOffPoint", "Collected", "CollectionFailed", "InTransit", "InTransitWaiting", "Delayed",
    "OutForDelivery", "DeliveryFailed", "DeliveryFailedCardLeft", "Delivered", "PartiallyDelivered", "DeliveredDamaged",
    "AtCollectionPoint", "AtCustoms", "HeldByCarrier", "ReturnToSender", "ActionRequired", "ExchangeFailed",
    "CarrierUnableToCollect", "Missing", "Lost", "Damaged", "Dispatched", "Cancelling", "Cancelled",
)  # fmt: skip
"""The states that the guide names, as it writes them."""
_PASSING = frozenset({"cancelling", "allocating", "manifesting"})
_OPEN = frozenset({"unallocated", "allocationfailed", "allocated", "readytoship", "manifestfailed"})
_MANIFESTED = frozenset(
    {
        "manifested", "atdropoffpoint", "collected", "collectionfailed", "intransit", "intransitwaiting", "delayed",
        "outfordelivery", "deliveryfailed", "deliveryfailedcardleft", "delivered", "partiallydelivered",
        "delivereddamaged", "atcollectionpoint", "atcustoms", "heldbycarrier", "returntosender", "actionrequired",
        "exchangefailed", "carrierunabletocollect", "missing", "lost", "damaged", "dispatched",
    }
)  # fmt: skip


def state_class(state: str) -> StateClass:
    """The class of a state, compared by its letters. An unknown state is `STRANGE`: it shows nothing."""
    folded = letters(state)
    if folded == "cancelled":
        return StateClass.CANCELLED
    if folded in _PASSING:
        return StateClass.PASSING
    if folded in _MANIFESTED:
        return StateClass.MANIFESTED
    return StateClass.OPEN if folded in _OPEN else StateClass.STRANGE


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
    """The state could not be read.

    `counted` says whether this burns a try. `answered` says that the platform answered, but without a usable state.
    `outage` says that the answer is not the platform's. `alone_after` is as for `verdicts.Untaken`.
    """

    reason: str
    status: int | None = None
    counted: bool = True
    answered: bool = False
    outage: bool = False
    alone_after: int = 0


Reading = Found | Unknown | Unread


def judge_reading(
    reference: str, answer: Answer | Failure, *, since_call_s: float = math.inf, doubted: bool = False
) -> Reading:
    """Judges one read of a reference's state (docs/explanation/truth.md).

    Args:
        reference: the reference that was read, in upper case.
        answer: what came back.
        since_call_s: the least number of seconds from the end of our last call that named it to this answer.
        doubted: whether that call or an earlier one may have cancelled it.
    """
    match answer:
        case Failure(reason=reason, written=written):
            return Unread(reason, counted=written)
        case Answer(status=404, body=body) if of_platform(body):
            return _old(answer, since_call_s) or Unknown(404)
        case Answer(status=status) if status in NOT_COUNTED or refused_by_gateway(answer):
            return Unread(f"HTTP {status}", status, counted=False, alone_after=OF_THE_CALLER)
        case Answer(status=status, body=dict() | list() as body) if is_success(status):
            found = _found(reference, body, status)
            if isinstance(found, Found) and state_class(found.state) is not StateClass.CANCELLED:  # Cancelled is final
                return _old(answer, since_call_s) or _unmodified(answer, found, since_call_s, doubted) or found
            return found
        case Answer(status=status) if is_success(status):
            return Unread("the answer has no state", status, outage=True)
        case Answer(status=status, body=body):
            return Unread(f"HTTP {status}", status, outage=status < _SERVER_ERRORS and not of_platform(body))


def _found(reference: str, body: object, status: int) -> Found | Unread:
    """The state in an answer that names its reference. An answer without a name may come from another machine."""
    record = record_of(body)
    named = [name for name in REFERENCES if isinstance(field(record, name), str)]
    if any(normalise(str(field(record, name))) != reference for name in named):
        return Unread("the answer is about another reference", status)
    state = field(record, STATE)
    if not isinstance(state, str) or not state.strip():
        return Unread("the answer has no state", status, outage=True)
    if not named:
        return Unread("the answer does not say whose state it has", status, outage=True)
    return Found(state.strip()[:_LONGEST_STATE], status)


def _old(answer: Answer, since_call_s: float) -> Unread | None:
    """Rejects an answer that is older than our last call: it cannot show what that call did."""
    if answer.age_s <= since_call_s:
        return None
    reason = f"the answer is {answer.age_s:.0f} s old, older than our last call"
    return Unread(reason, answer.status, answered=True)


def _unmodified(answer: Answer, found: Found, since_call_s: float, doubted: bool) -> Unread | None:
    """Rejects an answer whose content has not changed since before our last call: a cache may have kept it.

    A manifested consignment that was refused has not changed either, so its answer is accepted.
    """
    unmodified_s = answer.unmodified_s
    if unmodified_s is None or unmodified_s <= since_call_s + _ROUNDING_S:
        return None
    if state_class(found.state) is StateClass.MANIFESTED and not doubted:
        return None
    return Unread("the answer has not been modified since before our last call", answer.status, answered=True)
