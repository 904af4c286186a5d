"""Judges the answer of Create Consignment.

Each call of it makes another consignment, so only what surely made none may be sent again. Whatever is not understood
leaves it unclear: it is looked for then, and never simply sent again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from cancellist.jobs.escaping import shown
from cancellist.jobs.parsing.patterns import ReferencePattern
from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import (
    CLIENT_ERRORS,
    CONFIRMING,
    SERVER_ERRORS,
    TIMED_OUT_STATUS,
    Answer,
    Failure,
    of_gateway,
    of_platform,
    refused_by_gateway,
    words_of,
)
from cancellist.jobs.responses.answer_forms import error_of, field

_KEY_REFUSED = frozenset({401, 403})
_TOO_MANY = 429
_MOST_DETAILS = 3


@dataclass(frozen=True, slots=True)
class Made:
    """The platform has created a consignment."""

    reference: str


@dataclass(frozen=True, slots=True)
class NotMade:
    """Nothing was created.

    Attributes:
        why: the reason.
        is_final: whether the platform refuses this very consignment, so that it would refuse it again.
        stops: whether it would refuse every other one too.
    """

    why: str
    is_final: bool = False
    stops: bool = False


@dataclass(frozen=True, slots=True)
class TooMany:
    """The platform asks for a pause: most likely nothing was created.

    Attributes:
        wait_s: the pause that it asks for; None where it says none.
    """

    why: str
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may have been created."""

    why: str


Created = Made | NotMade | TooMany | Unclear


def judge_created(answer: Answer | Failure, pattern: ReferencePattern, old: str) -> Created:
    """Judges an answer that came on a connection of its own.

    Args:
        answer: what came back.
        pattern: what a reference looks like.
        old: the reference of the consignment that is reinstated; the new one has another.
    """
    match answer:
        case Failure(reason=reason, written=False):
            return NotMade(shown(reason))
        case Failure(reason=reason):
            return Unclear(shown(reason))
        case Answer(status=status, body=body) if status in CONFIRMING:
            found = set(_named(body, pattern)) - {old}
            if len(found) == 1:
                return Made(found.pop())
            return Unclear(f"HTTP {status}, and the answer names {'no' if not found else 'more than one'} consignment")
        case Answer(status=status) if status in _KEY_REFUSED:
            return NotMade(f"the key is refused: HTTP {status}", stops=True)
        case Answer(status=status, body=body) if status == _TOO_MANY and (of_platform(body) or of_gateway(body)):
            return TooMany(f"HTTP {status}", answer.retry_after_s)
        case Answer(status=status, body=body) if _is_refusal(answer):
            return NotMade(shown(_told(status, body)), is_final=True)
        case Answer(status=status):
            return Unclear(f"HTTP {status}")


def _is_refusal(answer: Answer) -> bool:
    """Whether the platform, or the gateway before it, has refused the request as it stands."""
    if not CLIENT_ERRORS <= answer.status < SERVER_ERRORS or answer.status == TIMED_OUT_STATUS:
        return False
    return of_platform(answer.body) or refused_by_gateway(answer)


def _told(status: int, body: object) -> str:
    details = field(error_of(body) or {}, "Details")
    about = [
        ": ".join(str(part) for part in (field(one, "Target"), field(one, "Message")) if part)
        for one in (details if isinstance(details, list) else [])[:_MOST_DETAILS]
        if isinstance(one, dict)
    ]
    return "; ".join(filter(None, (f"HTTP {status}: {words_of(body) or 'refused'}", *about)))


def _named(body: object, pattern: ReferencePattern) -> Iterator[str]:
    """The references in the links of an answer."""
    for one in body if isinstance(body, list) else [body]:
        parts = _path(field(one, "Href") if isinstance(one, dict) else None)
        if len(parts) > 1 and parts[-2].lower() == "consignments":
            reference = normalise(unquote(parts[-1]))
            if pattern.matches(reference):
                yield reference


def _path(href: object) -> list[str]:
    try:
        return urlsplit(href).path.strip("/").split("/") if isinstance(href, str) else []
    except ValueError:
        return []
