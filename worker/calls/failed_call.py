"""The record of a call that did not simply succeed."""

from collections.abc import Sequence

from cancellist.jobs.ledger.claims import Claim
from cancellist.jobs.ledger.failed_calls import TroubledCall
from cancellist.jobs.responses.answer import Answer, Failure, correlation_id, words_of
from cancellist.jobs.responses.verdicts import Confirmed, Judgement


def not_confirmed(references: Sequence[str], judgement: Judgement) -> list[str]:
    """The references of a call that the platform has not confirmed."""
    if not judgement.others and isinstance(judgement.common, Confirmed):
        return []
    return [r for r in references if not isinstance(judgement.of(r), Confirmed)]


def trouble(claim: Claim, references: Sequence[str], answer: Answer | Failure, took_s: float) -> TroubledCall:
    """The record of a call for `explain`, for these of its references."""
    took_ms, troubled = round(took_s * 1000), set(references)
    named: dict[str, list[str]] = {}
    for part in claim.parts:
        named.setdefault(part.job, []).extend(r for r in part.piece.references if r in troubled)
    match answer:
        case Failure(reason=reason):
            return TroubledCall(claim.kind, None, reason, None, took_ms, named)
        case Answer(status=status, body=body):
            reason = words_of(body) or "not every reference was confirmed"
            return TroubledCall(claim.kind, status, reason, correlation_id(body), took_ms, named)


def hold(answer: Answer | Failure | None) -> tuple[float, str | None]:
    """How long the platform asks the account to make no call (s), and why."""
    match answer:
        case Answer(status=status, retry_after_s=float(seconds)):
            return seconds, f"the platform asked to wait (HTTP {status}, Retry-After)"
        case _:
            return 0.0, None
