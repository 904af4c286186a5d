"""Decides the next step of a reference after a call, from the verdict on it and its history.

docs/explanation/truth.md has the evidence that each outcome needs. A negative outcome needs a refusal of this job's
call, and a state that was read after the last call that could still act.
"""

from dataclasses import dataclass, replace
from math import ceil, log2

from cancellist.jobs.model import Outcome, Piece
from cancellist.jobs.responses import refusal_texts
from cancellist.jobs.responses.status_read import StateClass
from cancellist.jobs.responses.steps import DEALLOCATED, CallAgain, ReadState, Step, WriteResult
from cancellist.jobs.responses.verdicts import NO_ANSWER, Confirmed, Refused, Suspect, Unclear, Untaken, Verdict


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon references are tried again.

    Attributes:
        max_attempts: calls that count, before a reference is given up.
        base_s: the longest first pause.
        cap_s: the longest pause of all.
        call_timeout_s: how long after its end an unclear call may still act.
    """

    max_attempts: int = 8
    base_s: float = 0.25
    cap_s: float = 30.0
    call_timeout_s: float = 30.0

    @property
    def most_reads(self) -> int:
        """Failed reads before a state is given up: `max_attempts`, after the pauses have grown to their cap."""
        return self.max_attempts + max(0, ceil(log2(self.cap_s / self.base_s)))

    @property
    def patience(self) -> int:
        """Unanswered calls or reads of one reference before it is given up, where no other reference shows the cause.

        So an outage of one endpoint is waited out for a quarter of an hour, with the defaults.
        """
        return 3 * self.max_attempts + self.most_reads


_ENDED_S = 0.001
"""An answered call can act no more. This shortest time marks its references as maybe sent all the same."""


def backoff(attempt: int, policy: RetryPolicy, jitter: float) -> float:
    """The pause in seconds before the try after `attempt` (from 1): exponential with full jitter, `jitter` in [0, 1).

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog.
    """
    return jitter * min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 30))


def spaced(attempt: int, policy: RetryPolicy, jitter: float) -> float:
    """A pause of at least half of the longest `backoff`, so that many tries surely take long."""
    return (backoff(attempt, policy, jitter) + backoff(attempt, policy, 1.0)) / 2


def after_call(
    piece: Piece, verdict: Verdict, policy: RetryPolicy, jitter: float, unclear_left_s: float, *, lone: bool = False
) -> Step:
    """Decides the next step of references after a call that named them.

    Args:
        piece: their history before the call.
        verdict: what the call's answer means for them.
        policy: how often and how soon they are tried again.
        jitter: drawn from [0, 1).
        unclear_left_s: how long an earlier unclear call may still act.
        lone: whether the call named one reference only.
    """
    named = piece.named + 1
    match verdict:
        case Confirmed():
            return _after_confirmed(piece, verdict)
        case Refused(status=status, message=message):
            return ReadState(
                0.0, piece.attempts, named, reads=piece.reads, refusal_status=status, refusal_words=message
            )
        case Unclear(counted=counted, ended=ended, alone_after=alone_after):
            unclear_s = _ENDED_S if ended else policy.call_timeout_s
            attempts = piece.attempts + (1 if counted else 0)
            if _spent(piece, attempts, counted, alone_after, policy, lone=lone):
                return ReadState(max(unclear_s, unclear_left_s), attempts, named, unclear_s=unclear_s)
            pause_s = _pause(piece, attempts, alone_after, policy, jitter)
            return CallAgain(pause_s, attempts, named, unclear_s=unclear_s, alone_after=alone_after, lone=lone)
        case Suspect():
            return CallAgain(0.0, piece.attempts, named)
        case Untaken(withheld=True):
            return CallAgain(0.0, piece.attempts, piece.named)
        case Untaken(reason=reason, status=status, counted=counted, alone_after=alone_after, sent=sent):
            named = named if sent else piece.named
            attempts = piece.attempts + (1 if counted else 0)
            if not _spent(piece, attempts, counted, alone_after, policy, lone=lone):
                pause_s = _pause(piece, attempts, alone_after, policy, jitter)
                return CallAgain(pause_s, attempts, named, alone_after=alone_after, lone=lone)
            if piece.maybe_sent:
                return ReadState(max(0.0, unclear_left_s), attempts, named)
            return WriteResult(Outcome.FAILED, named, status, reason)


def _after_confirmed(piece: Piece, confirmed: Confirmed) -> Step:
    if piece.read_back:
        return ReadState(0.0, piece.attempts, piece.named + 1, unclear_s=_ENDED_S, confirmed=True)
    return WriteResult(Outcome.CANCELLED, piece.named + 1, confirmed.status, confirmed.message)


def _spent(piece: Piece, attempts: int, counted: bool, alone_after: int, policy: RetryPolicy, *, lone: bool) -> bool:
    """Whether this was the last call: the attempts are spent, or a lone reference was not answered for very long."""
    if lone and alone_after == NO_ANSWER and piece.unanswered >= policy.patience:
        return True
    return attempts >= policy.max_attempts and (counted or alone_after > 0)


def _pause(piece: Piece, attempts: int, alone_after: int, policy: RetryPolicy, jitter: float) -> float:
    """The pause before the next call. It grows where other references succeed, so that attempts spread over time."""
    if alone_after and piece.alone >= alone_after:
        return spaced(attempts + piece.alone, policy, jitter)
    extra = piece.unanswered if alone_after == NO_ANSWER else piece.alone
    return backoff(max(1, attempts + extra), policy, jitter)


def to_be_confirmed(piece: Piece) -> ReadState:
    """Has a success read back that names no reference and comes while the account is in trouble.

    The success of the endpoint for a single reference is an empty 200. A maintenance page may be one, too.
    """
    return ReadState(0.0, piece.attempts, piece.named + 1, reads=piece.reads, unclear_s=_ENDED_S, alone_after=NO_ANSWER)


def singled_out(piece: Piece, verdict: Verdict) -> bool:
    """Whether these references are held to be the cause by now, since others succeeded in between often enough."""
    match verdict:
        case Unclear(alone_after=after) | Untaken(alone_after=after):
            return after > 0 and piece.alone >= after
        case _:
            return False


def suspected(piece: Piece, verdict: Verdict) -> bool:
    """Whether these references may be the cause. Flow control then ignores the answer.

    Other references succeeded since the call before, which was answered in the same way.
    """
    match verdict:
        case Unclear(alone_after=after) | Untaken(alone_after=after):
            return after > 0 and piece.alone > 0
        case _:
            return False


def told_deallocated(step: Step) -> Step:
    """The step of a reference that was deallocated. Its result says so, unless it is cancelled."""
    match step:
        case WriteResult(outcome=Outcome.CANCELLED | Outcome.ALREADY_CANCELLED):
            return step
        case WriteResult(message=message):
            return replace(step, message=f"{DEALLOCATED}; {message}" if message else DEALLOCATED)
        case _:
            return replace(step, deallocated=True)


def after_lone_probe(piece: Piece, step: Step, policy: RetryPolicy) -> Step:
    """Decides what follows a failed probe of one reference alone.

    Probes burn no attempt, so a reference at which the platform always fails would be probed for ever. So after a call
    it is read next, and after a read it is called, unless its attempts are spent. A success closes the breaker, and
    attempts count again.
    """
    match step:
        case CallAgain():
            return ReadState(
                step.delay_s, step.attempts, step.named, reads=piece.reads, unclear_s=step.unclear_s,
                alone_after=step.alone_after, deallocated=step.deallocated,
            )  # fmt: skip
        case ReadState() if piece.refusal_status is not None or piece.attempts < policy.max_attempts:
            return CallAgain(step.delay_s, step.attempts, step.named, reads=step.reads, deallocated=step.deallocated)
        case _:
            return step


def after_known_refusal(piece: Piece, refused: Refused, meaning: str) -> WriteResult | None:
    """Decides the result of a reference whose refusal text has a meaning set by the user (`REFUSAL_WORDS`).

    Args:
        piece: its history, including the call that was refused.
        refused: the refusal.
        meaning: the class of state that the text means (jobs/responses/refusal_texts.py).

    Returns:
        The result, without a state, since none was read. None where an earlier call of the job may have acted, or where
        the reference is to be read back: then only a read can show the outcome.
    """
    if piece.maybe_sent or piece.read_back:
        return None
    match meaning:
        case StateClass.CANCELLED.value:
            outcome = Outcome.ALREADY_CANCELLED
        case StateClass.MANIFESTED.value:
            outcome = Outcome.MANIFESTED
        case StateClass.OPEN.value:
            outcome = Outcome.REJECTED
        case refusal_texts.UNKNOWN:
            outcome = Outcome.NOT_FOUND
        case _:
            return None
    return WriteResult(outcome, piece.named, refused.status, refused.message)
