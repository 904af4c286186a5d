"""Verdict and history in, what happens next out: a result, or back into the queue for a call or a read.

docs/explanation/truth.md says what each outcome is evidence of; here is where that is decided. A negative outcome
rests on a refusal of this job's call, and on a state that was read after the last call that could still act.
"""

from dataclasses import dataclass, replace
from math import ceil, log2

from cancellist.jobs.model import Outcome, Piece
from cancellist.jobs.responses import refusal_texts
from cancellist.jobs.responses.answer_forms import letters
from cancellist.jobs.responses.status_read import Found, Reading, StateClass, Unknown, Unread, state_class
from cancellist.jobs.responses.verdicts import NO_ANSWER, Confirmed, Refused, Suspect, Unclear, Untaken, Verdict


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon.

    Attributes:
        max_attempts: counted calls before a reference is given up.
        base_s: upper bound of the first pause.
        cap_s: upper bound of any pause.
        call_timeout_s: for how long after its end an unclear call may still act.
    """

    max_attempts: int = 8
    base_s: float = 0.25
    cap_s: float = 30.0
    call_timeout_s: float = 30.0

    @property
    def most_reads(self) -> int:
        """Reads that fail before a state is given up: as many as calls, once pauses have grown to their cap."""
        return self.max_attempts + max(0, ceil(log2(self.cap_s / self.base_s)))

    @property
    def patience(self) -> int:
        """Calls, or reads, of one reference that are not answered before it is given up, though no other shows why.

        So an outage of one endpoint is waited out: a quarter of an hour with the defaults.
        """
        return 3 * self.max_attempts + self.most_reads


@dataclass(frozen=True, slots=True)
class Settle:
    """A result."""

    outcome: Outcome
    attempts: int
    status: int | None = None
    message: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class CallAgain:
    """Back into the queue, to be named by another call.

    References with the same `group` are named together and with no other; None lets them join any call.
    `cleared` says that a read has shown that no call acted; `status` and `state` are what it found. `reads` were tried.
    `alone_after` is that of the verdict (`verdicts.Untaken`), where it has one; `lone` says that the call named no
    other reference: then the ledger burns an attempt once others have done well in between so often.
    """

    delay_s: float
    attempts: int
    named: int
    unclear_s: float = 0.0
    cleared: bool = False
    group: int | None = None
    status: int | None = None
    state: str | None = None
    reads: int = 0
    alone_after: int = 0
    lone: bool = False
    deallocated: bool = False


@dataclass(frozen=True, slots=True)
class ReadState:
    """Back into the queue, to have its state read; `alone_after` as for `CallAgain`, of the call or read before."""

    delay_s: float
    attempts: int
    named: int
    reads: int = 0
    unclear_s: float = 0.0
    refusal_status: int | None = None
    refusal_words: str | None = None
    alone_after: int = 0
    deallocated: bool = False


Step = Settle | CallAgain | ReadState

DEALLOCATED = "it was deallocated before, or may have been, and may be without its carrier"
"""What the result of a reference says that is not cancelled though it was deallocated (lua/shared/jobs.lua too)."""
_ENDED_S = 0.001
"""For how long a call may still act that was answered: the least that marks its references as maybe sent."""


def backoff(attempt: int, policy: RetryPolicy, jitter: float) -> float:
    """The pause in seconds before the try after `attempt` (from 1): exponential with full jitter, `jitter` in [0, 1).

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog.
    """
    return jitter * min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 30))


def spaced(attempt: int, policy: RetryPolicy, jitter: float) -> float:
    """A pause as `backoff` has it, but never below half: so many tries last so long, whatever chance says."""
    return (backoff(attempt, policy, jitter) + backoff(attempt, policy, 1.0)) / 2


def after_call(
    piece: Piece, verdict: Verdict, policy: RetryPolicy, jitter: float, unclear_left_s: float, *, lone: bool = False
) -> Step:
    """What happens to references after a call that named them.

    Args:
        piece: their history before the call.
        verdict: what the call's answer says about them.
        policy: how often and how soon.
        jitter: drawn from [0, 1).
        unclear_left_s: for how long an earlier unclear call may still act.
        lone: whether the call named a single reference.
    """
    named = piece.named + 1
    match verdict:
        case Confirmed(status=status, message=message):
            return Settle(Outcome.CANCELLED, named, status, message)
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
        case Untaken(reason=reason, status=status, counted=counted, alone_after=alone_after):
            attempts = piece.attempts + (1 if counted else 0)
            if not _spent(piece, attempts, counted, alone_after, policy, lone=lone):
                pause_s = _pause(piece, attempts, alone_after, policy, jitter)
                return CallAgain(pause_s, attempts, named, alone_after=alone_after, lone=lone)
            if piece.maybe_sent:
                return ReadState(max(0.0, unclear_left_s), attempts, named)
            return Settle(Outcome.FAILED, named, status, reason)


def _spent(piece: Piece, attempts: int, counted: bool, alone_after: int, policy: RetryPolicy, *, lone: bool) -> bool:
    """Whether references have had their last call: attempts are spent, or one alone was not answered for very long."""
    if lone and alone_after == NO_ANSWER and piece.unanswered >= policy.patience:
        return True
    return attempts >= policy.max_attempts and (counted or alone_after > 0)


def _pause(piece: Piece, attempts: int, alone_after: int, policy: RetryPolicy, jitter: float) -> float:
    """The pause before the next call: growing where others do well meanwhile, so that attempts are spread over time."""
    if alone_after and piece.alone >= alone_after:
        return spaced(attempts + piece.alone, policy, jitter)
    extra = piece.unanswered if alone_after == NO_ANSWER else piece.alone
    return backoff(max(1, attempts + extra), policy, jitter)


def to_be_confirmed(piece: Piece) -> ReadState:
    """The step of a reference whose success named nothing while the account was in trouble: it is read back.

    A page of maintenance may be an empty 200 as well. An empty success is the single endpoint's own, but says no name.
    """
    return ReadState(0.0, piece.attempts, piece.named + 1, reads=piece.reads, unclear_s=_ENDED_S, alone_after=NO_ANSWER)


def singled_out(piece: Piece, verdict: Verdict) -> bool:
    """Whether what came is put down to these references by now, since others did well so often in between."""
    match verdict:
        case Unclear(alone_after=after) | Untaken(alone_after=after):
            return after > 0 and piece.alone >= after
        case _:
            return False


def suspected(piece: Piece, verdict: Verdict) -> bool:
    """Whether what came about the caller is perhaps about these references: then it moves nothing of the account.

    Others did well since the call before, which was answered so too.
    """
    match verdict:
        case Unclear(alone_after=after) | Untaken(alone_after=after):
            return after > 0 and piece.alone > 0
        case _:
            return False


def told_deallocated(step: Step) -> Step:
    """The step of a reference that was deallocated before: where it is not cancelled in the end, its result says so."""
    match step:
        case Settle(outcome=Outcome.CANCELLED | Outcome.ALREADY_CANCELLED):
            return step
        case Settle(message=message):
            return replace(step, message=f"{DEALLOCATED}; {message}" if message else DEALLOCATED)
        case _:
            return replace(step, deallocated=True)


def after_lone_probe(piece: Piece, step: Step, policy: RetryPolicy) -> Step:
    """What follows where a probe of one reference alone has failed.

    Probes burn nothing, so that one at which the platform always fails would be probed for ever: what was called
    is read next, and what was read is called, unless its calls are used up. What succeeds closes the breaker, and
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


def after_known_refusal(piece: Piece, refused: Refused, meaning: str) -> Settle | None:
    """What happens to a reference that was refused in words whose meaning the user has told (`REFUSAL_WORDS`).

    Args:
        piece: its history, the refusing call included.
        refused: the refusal.
        meaning: the class of state that the words mean (`cancellist.jobs.responses.refusal_texts`).

    Returns:
        Its result, without a state, since none was read; None where only a read can tell, since an earlier call of the
        job may have acted.
    """
    if piece.maybe_sent:
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
    return Settle(outcome, piece.named, refused.status, refused.message)


def after_reading(piece: Piece, reading: Reading, policy: RetryPolicy, jitter: float, unclear_left_s: float) -> Step:
    """What happens to a reference after its state was read; arguments as for `after_call`."""
    match reading:
        case Found(state=state, status=status):
            return _after_found(piece, state, status, policy, jitter, unclear_left_s)
        case Unknown(status=status):
            if unclear_left_s > 0:
                return _read_again(piece, unclear_left_s, piece.reads)
            if piece.refusal_status is not None:
                return Settle(Outcome.NOT_FOUND, piece.named, status, piece.refusal_words)
            return _unrefused(piece, status, None, policy, jitter)
        case Unread(reason=reason, status=status, counted=counted, alone_after=alone_after):
            reads = piece.reads + (1 if counted else 0)
            most = policy.patience if reading.outage else policy.most_reads
            if (counted or alone_after) and reads >= most and unclear_left_s <= 0:
                return Settle(Outcome.UNCONFIRMED, piece.named, status, f"its state could not be read: {reason}")
            pause_s = spaced(max(1, reads + piece.reads_alone), policy, jitter)
            return replace(_read_again(piece, pause_s, reads), alone_after=alone_after)


def _after_found(
    piece: Piece, state: str, status: int, policy: RetryPolicy, jitter: float, unclear_left_s: float
) -> Step:
    """What a state decides: Cancelled at once, all else only once no call can act any more, and after a refusal."""
    stands = state_class(state)
    if stands is StateClass.CANCELLED:
        outcome = Outcome.CANCELLED if piece.maybe_sent else Outcome.ALREADY_CANCELLED
        return Settle(outcome, piece.named, status, piece.refusal_words, state)
    if stands is StateClass.PASSING and (piece.reads + 1 < policy.max_attempts or unclear_left_s > 0):
        reads = piece.reads + 1
        return _read_again(piece, max(policy.base_s, spaced(reads, policy, jitter)), reads)
    if unclear_left_s > 0:
        return _read_again(piece, unclear_left_s, piece.reads)
    if piece.refusal_status is None:
        return _unrefused(piece, status, state, policy, jitter)
    match stands:
        case StateClass.MANIFESTED:
            return Settle(Outcome.MANIFESTED, piece.named, status, piece.refusal_words, state)
        case StateClass.PASSING | StateClass.STRANGE if piece.maybe_sent or letters(state) == "cancelling":
            return Settle(Outcome.UNCONFIRMED, piece.named, status, f"its state is {state}", state)
        case _:
            return Settle(Outcome.REJECTED, piece.named, status, piece.refusal_words, state)


def _unrefused(piece: Piece, status: int, state: str | None, policy: RetryPolicy, jitter: float) -> Step:
    """A reference that is not cancelled, and that no call was refused for: it is called again while it may be.

    A state that says nothing of cancelling, or none, does not show either that no call has acted.
    """
    shown = state is not None and state_class(state) in {StateClass.OPEN, StateClass.MANIFESTED}
    reads = 0 if shown else piece.reads + 1
    waits = piece.unanswered < policy.patience
    if piece.attempts < policy.max_attempts and reads < policy.max_attempts and waits:
        pause_s = backoff(max(1, piece.attempts), policy, jitter)
        return CallAgain(pause_s, piece.attempts, piece.named, cleared=shown, status=status, state=state, reads=reads)
    if not shown:
        said = "the platform does not know it" if state is None else f"its state is {state}"
        outcome = Outcome.UNCONFIRMED if piece.maybe_sent else Outcome.FAILED
        return Settle(outcome, piece.named, status, f"no call was taken, and {said}", state)
    return Settle(Outcome.FAILED, piece.named, status, "no call was taken", state)


def _read_again(piece: Piece, delay_s: float, reads: int) -> ReadState:
    return ReadState(
        delay_s,
        piece.attempts,
        piece.named,
        reads=reads,
        refusal_status=piece.refusal_status,
        refusal_words=piece.refusal_words,
    )
