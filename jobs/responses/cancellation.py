"""Judges the answer to a cancelling call: one verdict for each reference that the call named.

Items of the answer are joined to references by `Data`, compared without case, never by position. A reference that the
answer does not name was not answered.
"""

from collections.abc import Mapping, Sequence

from cancellist.jobs.parsing.references import normalise
from cancellist.jobs.responses.answer import (
    CLIENT_ERRORS,
    CONFIRMING,
    NOT_COUNTED,
    SERVER_ERRORS,
    TIMED_OUT_STATUS,
    TOO_LONG_STATUS,
    Answer,
    Failure,
    is_success,
    of_platform,
    refused_by_gateway,
    text_of,
    too_long,
    words_of,
)
from cancellist.jobs.responses.answer_forms import as_documented, field, items_of
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
"""The platform's text for a success (public guide). It is not stored."""


_TOO_MANY = 429
_REFUSING = frozenset({400, 404, 409, TOO_LONG_STATUS, 422})


def judge(references: Sequence[str], answer: Answer | Failure, *, single: bool) -> Judgement:
    """Judges one cancelling call (docs/explanation/truth.md).

    Args:
        references: those that the call named, in upper case, each once.
        answer: what came back.
        single: whether the endpoint for a single reference was called. Its success has no body.
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
    """The verdict for every reference of a call whose answer is no success.

    Only an error in the platform's own form refuses anything. Any other error, or none, may come from a machine on the
    way. It counts as an outage and burns no attempt, unless other references succeed in between.
    """
    status, body = answer.status, answer.body
    reason = words_of(body) or f"HTTP {status}"
    if status == _TOO_MANY:
        return Unclear(reason, status, counted=False, ended=True, alone_after=OF_THE_CALLER)
    if status in NOT_COUNTED or refused_by_gateway(answer):
        return Untaken(reason, status, counted=False, alone_after=OF_THE_CALLER)
    if status == TIMED_OUT_STATUS or status >= SERVER_ERRORS:
        return Unclear(reason, status)
    if too_long(answer) and not single:
        return Suspect(reason, status, too_long=True)
    if status < CLIENT_ERRORS or not of_platform(body):
        return Unclear(reason, status, counted=False, alone_after=NO_ANSWER)
    if status not in _REFUSING:
        return Unclear(reason, status, ended=True)
    return Refused(status, words_of(body)) if single else Suspect(reason, status, too_long=status == TOO_LONG_STATUS)


def _judge_list(references: Sequence[str], answer: Answer) -> Judgement:
    """Joins the items of an answer to the references of the call."""
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
    """A success that names no reference of the call. It counts as an outage, whoever sent it."""
    words = words_of(answer.body)
    told = f"{reason}: {words}" if words else reason
    return Judgement(Unclear(told, answer.status, counted=False, alone_after=NO_ANSWER), {}, unasked)


def _judge_item(item: Mapping[str, object], confirmed: Confirmed) -> Verdict:
    message = field(item, "Message")
    match field(item, "IsSuccess"):
        case True:
            if message is None or message == USUAL_SUCCESS:
                return confirmed
            return Confirmed(confirmed.status, text_of(message))
        case False if message == USUAL_SUCCESS:
            return Unclear("the answer contradicts itself", confirmed.status)
        case False:
            return Refused(confirmed.status, text_of(message))
        case _:
            return Unclear("the answer does not say whether it succeeded", confirmed.status)
