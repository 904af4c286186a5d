"""Which references of a list that failed as a whole go on together, until those at fault are alone."""

from collections.abc import Sequence
from http import HTTPStatus

from jobs.ledger.claims import Claim
from jobs.outcomes import Answer, Failure
from jobs.retry import RetryPolicy
from jobs.verdicts import Judgement, Suspect


def groups_of(
    claim: Claim, references: Sequence[str], answer: Answer | Failure, judgement: Judgement, policy: RetryPolicy
) -> dict[str, int]:
    """Which references go on together, and with no other: the halves of a list that was refused whole.

    What was called alone stays alone: the culprit may still be in it.
    """
    halved = fails_itself(claim, references, answer, judgement, policy)
    match judgement.common:
        case Suspect(too_long=too_long) if not too_long or claim.kind == "alone":
            halved = True
        case _:
            pass
    if halved:
        half = (len(references) + 1) // 2
        return {reference: int(n >= half) for n, reference in enumerate(references)}
    return dict.fromkeys(references, 0) if claim.kind == "alone" else {}


def fails_itself(
    claim: Claim, references: Sequence[str], answer: Answer | Failure, judgement: Judgement, policy: RetryPolicy
) -> bool:
    """Whether a list has failed so often, with an error of the server, that one of it may be why.

    Probes burn no attempt, so that a list at which only probes are made would stay whole for ever: there every call
    that named it counts, and every way to fail.
    """
    if len(references) == 1 or judgement.others:
        return False
    if claim.probe:
        itself, tried = failed(answer), min(part.piece.named for part in claim.parts)
    else:
        itself = isinstance(answer, Answer) and answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
        tried = min(part.piece.attempts for part in claim.parts)
    return itself and tried >= policy.max_attempts // 2


def failed(answer: Answer | Failure) -> bool:
    """Whether the platform failed at what it was sent: what it was sent may be why."""
    match answer:
        case Failure(written=written):
            return written
        case Answer(status=status):
            return status >= HTTPStatus.INTERNAL_SERVER_ERROR
