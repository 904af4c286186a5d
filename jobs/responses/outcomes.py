"""The closed set of outcomes, and what an answer of the platform says about each reference that a call named.

Everything here is pure: (references, answer or failure) in, one verdict for each reference out. Verdicts are joined to
references by `Data`, compared without case, never by position; what an answer does not name was not answered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer_forms import as_documented, error_of, field, is_error, items_of
from cancellist.jobs.responses.verdicts import (
    NO_ANSWER,
    OF_THE_CALLER,
    Confirmed,
    Judgement,
    Refused,
    Suspect,
    Unclear,
    Untaken,
    Verdict,
)

USUAL_SUCCESS = "Consignment cancellation completed successfully"
"""The platform's words for a success (public guide); not worth storing."""

LONGEST_MESSAGE = 500
"""Characters of the platform's words that are kept; what is longer was cut and is not known to the end."""


class Outcome(StrEnum):
    """The final answer for one reference of one job."""

    CANCELLED = "cancelled"
    ALREADY_CANCELLED = "already_cancelled"
    MANIFESTED = "manifested"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    INVALID = "invalid"
    EXPIRED = "expired"
    ABORTED = "aborted"


DONE = frozenset({Outcome.CANCELLED, Outcome.ALREADY_CANCELLED})
REFUSED = frozenset({Outcome.MANIFESTED, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.INVALID})
UNFINISHED = frozenset({Outcome.FAILED, Outcome.UNCONFIRMED, Outcome.EXPIRED, Outcome.ABORTED})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform answered: HTTP status, the decoded JSON body (`UNREADABLE` where it is none), and hints.

    `age_s` says how old it was at least when it came, 0 where nothing says so: something on the way may have kept it.
    `unmodified_s` says how long before it came what it tells of was changed last, None where nothing says so.
    """

    status: int
    body: object = None
    retry_after_s: float | None = None
    age_s: float = 0.0
    unmodified_s: float | None = None


class Unreadable(Enum):
    """The body of an answer that could not be read as JSON."""

    UNREADABLE = "unreadable"


UNREADABLE = Unreadable.UNREADABLE


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer came.

    `written` says whether a byte of the request may have left: where it did, the platform may have acted. `timed_out`
    says that it was waited for in vain, `withheld` that it was we who sent nothing.
    """

    reason: str
    written: bool
    timed_out: bool = False
    withheld: bool = False


NOT_COUNTED = frozenset({401, 403, 429})
"""Statuses that burn no attempt: they are about the caller, not about what was asked."""
_UNCLEAR_STATUSES = frozenset({408})
_TOO_LONG, _TOO_MANY = 413, 429
_NO_REFUSALS = NOT_COUNTED | _UNCLEAR_STATUSES | {_TOO_LONG}
_REFUSING = frozenset({400, 404, 409, _TOO_LONG, 422})
CONFIRMING = frozenset({200, 201})
"""200 by the guide, 201 by the API reference; 202 would only promise, and 204 is documented nowhere."""
_OK, _REDIRECTS, _CLIENT_ERRORS, _SERVER_ERRORS = 200, 300, 400, 500


def is_success(status: int) -> bool:
    """Whether an HTTP status is one of success."""
    return _OK <= status < _REDIRECTS


def judge(references: Sequence[str], answer: Answer | Failure, *, single: bool) -> Judgement:
    """Says what became of each reference of one cancelling call (docs/truth.md).

    Args:
        references: the references that the call named, upper case, each once.
        answer: what came back.
        single: whether the single endpoint was called, whose success has no body.
    """
    match answer:
        case Failure(reason=reason, written=False, withheld=withheld):
            return Judgement(Untaken(reason, counted=False, withheld=withheld), {})
        case Failure(reason=reason):
            return Judgement(Unclear(reason), {})
        case Answer(status=status, body=None) if single and status in CONFIRMING:
            return Judgement(Confirmed(status), {})
        case Answer(status=status) if is_success(status):
            return _judge_list(references, answer)
        case Answer():
            return Judgement(judge_error(answer, single=single), {})


def judge_error(answer: Answer, *, single: bool) -> Verdict:
    """What an answer that is none of success says of every reference.

    Only an error in the platform's own form refuses anything. What has another form, or no body, may come from anybody
    on the way, and is an outage: it burns nothing, unless others do well meanwhile.
    """
    status, body = answer.status, answer.body
    reason = words_of(body) or f"HTTP {status}"
    if status == _TOO_MANY:
        return Unclear(reason, status, counted=False, ended=True, alone_after=OF_THE_CALLER)
    if status in NOT_COUNTED or refused_by_gateway(answer):
        return Untaken(reason, status, counted=False, alone_after=OF_THE_CALLER)
    if status in _UNCLEAR_STATUSES or status >= _SERVER_ERRORS:
        return Unclear(reason, status)
    if too_long(answer) and not single:
        return Suspect(reason, status, too_long=True)
    if status < _CLIENT_ERRORS or not of_platform(body):
        return Unclear(reason, status, counted=False, alone_after=NO_ANSWER)
    if status not in _REFUSING:
        return Unclear(reason, status, ended=True)
    return Refused(status, words_of(body)) if single else Suspect(reason, status, too_long=status == _TOO_LONG)


def _judge_list(references: Sequence[str], answer: Answer) -> Judgement:
    """Joins the items of an answer to the references that were asked for."""
    items = items_of(answer.body)
    if items is None or answer.status not in CONFIRMING:
        return _nothing_said("the answer confirms nothing", answer)
    confirmed = Confirmed(answer.status)
    asked = set(references)
    seen: dict[str, Verdict] = {}
    unasked: list[str] = []
    for item in items:
        if not isinstance(item, dict):
            continue
        data = field(item, "Data")
        if not isinstance(data, str):
            continue
        reference = data if data in asked else normalise(data)
        if reference not in asked:
            unasked.append(data)
            continue
        verdict = _judge_item(item, confirmed)
        if reference in seen and type(seen[reference]) is not type(verdict):
            verdict = Unclear("the answer contradicts itself", answer.status)
        seen[reference] = verdict
    changed = not as_documented(answer.body)
    if len(seen) == len(asked) and all(v is confirmed for v in seen.values()):
        return Judgement(confirmed, {}, tuple(unasked), changed=changed)
    if not any(isinstance(v, Confirmed | Refused) for v in seen.values()):
        return _nothing_said("the answer names nothing that was asked", answer, tuple(unasked))
    return Judgement(Unclear("the answer does not name it", answer.status), seen, tuple(unasked), changed=changed)


def _nothing_said(reason: str, answer: Answer, unasked: tuple[str, ...] = ()) -> Judgement:
    """A success that answers nothing of what was asked: whoever sent it, it is an outage."""
    words = words_of(answer.body)
    told = f"{reason}: {words}" if words else reason
    return Judgement(Unclear(told, answer.status, counted=False, alone_after=NO_ANSWER), {}, unasked)


def _judge_item(item: Mapping[str, object], confirmed: Confirmed) -> Verdict:
    message = field(item, "Message")
    match field(item, "IsSuccess"):
        case True:
            if message is None or message == USUAL_SUCCESS:
                return confirmed
            return Confirmed(confirmed.status, _text(message))
        case False if message == USUAL_SUCCESS:
            return Unclear("the answer contradicts itself", confirmed.status)
        case False:
            return Refused(confirmed.status, _text(message))
        case _:
            return Unclear("the answer does not say whether it succeeded", confirmed.status)


def _text(value: object) -> str | None:
    return value[:LONGEST_MESSAGE] if isinstance(value, str) and value else None


def correlation_id(body: object) -> str | None:
    """The platform's own name for the request, in an error body."""
    told = error_of(body)
    return _text(field(told, "CorrelationId")) if told else None


def refused_by_gateway(answer: Answer) -> bool:
    """Whether a gateway refused the request, by its form of an error, before the platform has seen it.

    A list that is too long for it is not meant: a shorter one may pass.
    """
    if not _CLIENT_ERRORS <= answer.status < _SERVER_ERRORS or answer.status in _NO_REFUSALS:
        return False
    return _of_gateway(answer.body)


def _of_gateway(body: object) -> bool:
    return isinstance(body, dict) and "statusCode" in body and "message" in body


def too_long(answer: Answer | Failure) -> bool:
    """Whether a list was refused for its length, by whomever."""
    return isinstance(answer, Answer) and answer.status == _TOO_LONG


def of_platform(body: object) -> bool:
    """Whether an error is the platform's own. A proxy's page, a framework's error and no body at all tell nothing."""
    return is_error(body)


def words_of(body: object) -> str | None:
    """The words in an error body, whoever's it is."""
    told = error_of(body) or body
    return _text(field(told, "Message")) if isinstance(told, dict) else None


def exit_status(outcomes: Iterable[Outcome]) -> int:
    """The exit status of a command that waited for these outcomes: 0, 3 where some were refused, 4 where unfinished."""
    seen = set(outcomes)
    if seen & UNFINISHED:
        return 4
    return 3 if seen & REFUSED else 0
