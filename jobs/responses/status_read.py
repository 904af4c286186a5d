"""What a state that was read back means, and what one Get Consignment Status told."""

import math
from dataclasses import dataclass
from enum import Enum

from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import NOT_COUNTED, Answer, Failure, is_success, of_platform, refused_by_gateway
from cancellist.jobs.responses.answer_forms import REFERENCES, STATE, field, letters, record_of
from cancellist.jobs.responses.verdicts import OF_THE_CALLER


class StateClass(Enum):
    """What a state means for cancelling (platform's public guide, 'States')."""

    CANCELLED = "cancelled"
    PASSING = "passing"
    OPEN = "open"
    MANIFESTED = "manifested"
    STRANGE = "strange"


_LONGEST_STATE = 100
"""Characters of a state that are kept: it is written with the result, and the longest that is known has 22."""
_SERVER_ERRORS = 500
_ROUNDING_S = 2.0
"""Times in headers are in whole seconds."""
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
    """What a state means for cancelling, compared by its letters; of one that is not known nothing is concluded."""
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

    `counted` says whether that burns a try; `answered` that the platform has answered, though it tells nothing;
    `outage` that what came is no answer of the platform; `alone_after` as for `verdicts.Untaken`.
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
    """Says what one Get Consignment Status told about a reference (docs/explanation/truth.md).

    Args:
        reference: the one that was asked for, upper case.
        answer: what came back.
        since_call_s: seconds, at least, from the end of our last call of it until the answer came.
        doubted: whether that or an earlier call may have cancelled it.
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
    """The state in an answer that says whose it is; one that does not may be an outage's own word."""
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
    """What was made before our last call ended does not show what that has done."""
    if answer.age_s <= since_call_s:
        return None
    reason = f"the answer is {answer.age_s:.0f} s old, older than our last call"
    return Unread(reason, answer.status, answered=True)


def _unmodified(answer: Answer, found: Found, since_call_s: float, doubted: bool) -> Unread | None:
    """An answer that has not changed since before our last call may be one that was kept since then.

    A consignment that is manifested and was refused is as it was, so there that is no wonder.
    """
    unmodified_s = answer.unmodified_s
    if unmodified_s is None or unmodified_s <= since_call_s + _ROUNDING_S:
        return None
    if state_class(found.state) is StateClass.MANIFESTED and not doubted:
        return None
    return Unread("the answer has not been modified since before our last call", answer.status, answered=True)
