"""Bisects a batch that fails as a whole, until the references that cause it are alone."""

from collections.abc import Sequence

from cancellist.jobs.ledger.claims import Claim
from cancellist.jobs.responses.retry_policy import RetryPolicy, singled_out
from cancellist.jobs.responses.verdicts import OF_THE_CALLER, Judgement, Suspect, Unclear, Untaken

_FOR_LONG = 6
"""After this many answers in a row about the caller a batch is halved, even if nothing else shows the cause."""


def groups_of(claim: Claim, references: Sequence[str], judgement: Judgement, policy: RetryPolicy) -> dict[str, int]:
    """The groups that are called next, each alone: the halves of a batch that was refused whole.

    A group that was called alone stays alone, since the cause may still be in it.
    """
    halved = fails_itself(claim, references, judgement, policy)
    match judgement.common:
        case Suspect(too_long=too_long) if not too_long or claim.kind == "alone":
            halved = True
        case _:
            pass
    if halved:
        half = (len(references) + 1) // 2
        return {reference: int(n >= half) for n, reference in enumerate(references)}
    return dict.fromkeys(references, 0) if claim.kind == "alone" else {}


def fails_itself(claim: Claim, references: Sequence[str], judgement: Judgement, policy: RetryPolicy) -> bool:
    """Whether a batch has failed so often that one of its references may be why: it is halved, and burns none.

    Two unanswered calls in a row are enough. Answers about the caller must come while other references succeed, or for
    long, since the account may be the cause. Other failures, also of a read before the call, must come for half of the
    attempts, since they may be an outage. Probes burn no attempt, so for a batch that is only probed every call counts.
    """
    if len(references) == 1 or judgement.answered:
        return False
    pieces, verdict = [part.piece for part in claim.parts], judgement.common
    match verdict:
        case Unclear(alone_after=after) | Untaken(alone_after=after) if after == OF_THE_CALLER:
            return any(singled_out(piece, verdict) or piece.unanswered >= _FOR_LONG for piece in pieces)
        case Unclear(alone_after=after) | Untaken(alone_after=after) if after:
            return any(piece.unanswered for piece in pieces)
        case Unclear() | Untaken(asked=True):
            tried = max(piece.named if claim.probe else piece.attempts for piece in pieces)
            return tried >= policy.max_attempts // 2
        case _:
            return False


def in_vain(judgement: Judgement) -> bool:
    """Whether a request that names the references was made and not answered, so that they may be why."""
    match judgement.common:
        case Unclear(alone_after=after) | Untaken(alone_after=after, asked=True):
            return not judgement.answered and after != OF_THE_CALLER
        case _:
            return False
