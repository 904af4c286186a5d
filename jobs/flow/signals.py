"""What one attempt shows of the platform's health and load, whatever it says of the references.

no answer in time: timed out · 401, 403, a gateway's refusal: denied · 429, 503: refused
the platform's own answer: accepted · anything else: failed
"""

from dataclasses import dataclass
from enum import StrEnum

from cancellist.jobs.escaping import cut
from cancellist.jobs.responses.answer import UNREADABLE, Answer, Failure, of_platform, refused_by_gateway, words_of

_DENYING = frozenset({401, 403})
_UNAVAILABLE = 503
_OVERLOADED = frozenset({429, _UNAVAILABLE})
_TOO_LARGE = 413
_OK, _REDIRECTS, _CLIENT_ERRORS, _SERVER_ERRORS = 200, 300, 400, 500
_LONGEST = 120


class Signal(StrEnum):
    """How the platform took an attempt."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    TIMED_OUT = "timed out"
    FAILED = "failed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class AttemptSignal:
    """What an attempt showed.

    Attributes:
        sign: how it was taken.
        took_ms: how long it took.
        with_retry_after: whether the platform gave a time to wait.
        overload: whether a refusal may be an outage (503) as well.
        why: words for people.
    """

    sign: Signal
    took_ms: float
    with_retry_after: bool = False
    overload: bool = False
    why: str = ""


def shown_by(answer: Answer | Failure, took_ms: float, *, answered: bool = True) -> AttemptSignal | None:
    """Reads what an attempt showed from how it ended; None where nothing was asked of the platform.

    Args:
        answer: what came back.
        took_ms: how long it took.
        answered: whether a success says something of what was asked. One that does not is a failure: a page of
            maintenance has the status 200 as well.
    """
    match answer:
        case Failure(withheld=True):
            return None
        case Failure(timed_out=True, reason=reason):
            return AttemptSignal(Signal.TIMED_OUT, took_ms, why=cut(reason, _LONGEST))
        case Failure(reason=reason):
            return AttemptSignal(Signal.FAILED, took_ms, why=cut(reason, _LONGEST))
        case Answer(status=status, body=body, retry_after_s=retry_after_s):
            with_retry_after = retry_after_s is not None
            words = words_of(body)
            why = cut(f"HTTP {status}: {words}" if words else f"HTTP {status}", _LONGEST)
            if status in _DENYING or refused_by_gateway(answer):
                return AttemptSignal(Signal.DENIED, took_ms, with_retry_after, why=why)
            if status in _OVERLOADED:
                return AttemptSignal(
                    Signal.REFUSED, took_ms, with_retry_after, overload=status == _UNAVAILABLE, why=why
                )
            if _of_platform(answer, answered=answered):
                return AttemptSignal(Signal.ACCEPTED, took_ms, with_retry_after, why=why)
            if _OK <= status < _REDIRECTS:
                why = cut(f"{why}, but it does not say what was asked", _LONGEST)
            return AttemptSignal(Signal.FAILED, took_ms, with_retry_after, why=why)


def _of_platform(answer: Answer, *, answered: bool) -> bool:
    """Whether the platform itself has dealt with the request: not an error of a server, a proxy's page, a redirect."""
    match answer.status:
        case status if _OK <= status < _REDIRECTS:
            return answered and answer.body is not UNREADABLE
        case 408:
            return False
        case status if _CLIENT_ERRORS <= status < _SERVER_ERRORS:
            return status == _TOO_LARGE or of_platform(answer.body)
        case _:
            return False
