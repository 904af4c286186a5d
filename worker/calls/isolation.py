"""Which references of a list that failed as a whole go on together, until those at fault are alone."""

from collections.abc import Sequence

from cancellist.jobs.ledger.claims import Claim
from cancellist.jobs.responses.retry import RetryPolicy, singled_out
from cancellist.jobs.responses.verdicts import OF_THE_CALLER, Judgement, Suspect, Unclear, Untaken

_FOR_LONG = 6
"""Calls in a row about the caller after which a list is tried in halves though nothing else has shown what it is."""


def groups_of(claim: Claim, references: Sequence[str], judgement: Judgement, policy: RetryPolicy) -> dict[str, int]:
    """Which references go on together, and with no other: the halves of a list that was refused whole.

    What was called alone stays alone: what spoils the list may still be in it.
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
    """Whether a list has failed so often that one of it may be why: it is halved, and burns no attempt.

    An answer that says nothing is enough twice in a row. One about the caller must have come while others did well, or
    for long: that may be the account's. A failure must have come for half of the attempts: it may be an outage. Probes
    burn no attempt, so that a list at which only probes are made would stay whole for ever: there every call counts.
    """
    if len(references) == 1 or judgement.answered:
        return False
    pieces, verdict = [part.piece for part in claim.parts], judgement.common
    match verdict:
        case Unclear(alone_after=after) | Untaken(alone_after=after) if after == OF_THE_CALLER:
            return any(singled_out(piece, verdict) or piece.unanswered >= _FOR_LONG for piece in pieces)
        case Unclear(alone_after=after) | Untaken(alone_after=after) if after:
            return any(piece.unanswered for piece in pieces)
        case Unclear():
            tried = max(piece.named if claim.probe else piece.attempts for piece in pieces)
            return tried >= policy.max_attempts // 2
        case _:
            return False


def in_vain(judgement: Judgement) -> bool:
    """Whether a call was made and not answered: what it named may be why."""
    verdict = judgement.common
    return not judgement.answered and isinstance(verdict, Unclear) and verdict.alone_after != OF_THE_CALLER
