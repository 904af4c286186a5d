"""Decides what follows for a reference once its state was read, from what was read and its history."""

from dataclasses import replace

from cancellist.jobs.model import Outcome, Piece
from cancellist.jobs.responses.answer_forms import letters
from cancellist.jobs.responses.retry_policy import RetryPolicy, backoff, spaced
from cancellist.jobs.responses.status_read import Found, Reading, StateClass, Unknown, Unread, state_class
from cancellist.jobs.responses.steps import CallAgain, ReadState, Step, WriteResult


def after_reading(piece: Piece, reading: Reading, policy: RetryPolicy, jitter: float, unclear_left_s: float) -> Step:
    """Decides the next step of a reference after a read of its state; arguments as for `after_call`."""
    match reading:
        case Found() | Unknown() if piece.confirmed and not _is_cancelled(reading):
            return _after_mismatch(piece, reading, policy, jitter)
        case Found(state=state, status=status):
            return _after_found(piece, state, status, policy, jitter, unclear_left_s)
        case Unknown(status=status):
            if unclear_left_s > 0:
                return _read_again(piece, unclear_left_s, piece.reads)
            if piece.refusal_status is not None:
                return WriteResult(Outcome.NOT_FOUND, piece.named, status, piece.refusal_words)
            return _unrefused(piece, status, None, policy, jitter)
        case Unread(reason=reason, status=status, counted=counted, alone_after=alone_after):
            reads = piece.reads + (1 if counted else 0)
            most = policy.patience if reading.outage else policy.most_reads
            if (counted or alone_after) and reads >= most and unclear_left_s <= 0:
                return _unreadable(piece, status, reason)
            pause_s = spaced(max(1, reads + piece.reads_alone), policy, jitter)
            return replace(_read_again(piece, pause_s, reads), alone_after=alone_after)


def _unreadable(piece: Piece, status: int | None, reason: str) -> WriteResult:
    """The result where no read shows the state. Only a call that was sent could have changed it."""
    if piece.maybe_sent or piece.refusal_status is not None or piece.confirmed:
        return WriteResult(Outcome.UNCONFIRMED, piece.named, status, f"its state could not be read: {reason}")
    said = f"no call was taken, and its state could not be read: {reason}"
    return WriteResult(Outcome.FAILED, piece.named, status, said)


def _is_cancelled(reading: Found | Unknown) -> bool:
    return isinstance(reading, Found) and state_class(reading.state) is StateClass.CANCELLED


def _after_mismatch(piece: Piece, reading: Found | Unknown, policy: RetryPolicy, jitter: float) -> Step:
    """Decides what follows where the platform confirmed that it is cancelled, and a read does not show it.

    A state may be read late, so it is read again. No call is made again: the platform said that it is done.
    """
    reads = piece.reads + 1
    if reads < policy.max_attempts:
        return _read_again(piece, max(policy.base_s, spaced(reads, policy, jitter)), reads)
    state = reading.state if isinstance(reading, Found) else None
    found = "it does not know it" if state is None else f"its state is {state}"
    said = f"the platform confirmed that it is cancelled, and then {found}"
    return WriteResult(Outcome.UNCONFIRMED, piece.named, reading.status, said, state)


def _after_found(
    piece: Piece, state: str, status: int, policy: RetryPolicy, jitter: float, unclear_left_s: float
) -> Step:
    """Decides by a state. Cancelled is final at once. Others need a refusal, and that no call can act any more."""
    stands = state_class(state)
    if stands is StateClass.CANCELLED:
        outcome = Outcome.CANCELLED if piece.maybe_sent else Outcome.ALREADY_CANCELLED
        return WriteResult(outcome, piece.named, status, piece.refusal_words, state)
    if stands is StateClass.PASSING and (piece.reads + 1 < policy.max_attempts or unclear_left_s > 0):
        reads = piece.reads + 1
        return _read_again(piece, max(policy.base_s, spaced(reads, policy, jitter)), reads)
    if unclear_left_s > 0:
        return _read_again(piece, unclear_left_s, piece.reads)
    if piece.refusal_status is None:
        return _unrefused(piece, status, state, policy, jitter)
    match stands:
        case StateClass.MANIFESTED:
            return WriteResult(Outcome.MANIFESTED, piece.named, status, piece.refusal_words, state)
        case StateClass.PASSING | StateClass.STRANGE if piece.maybe_sent or letters(state) == "cancelling":
            return WriteResult(Outcome.UNCONFIRMED, piece.named, status, f"its state is {state}", state)
        case _:
            return WriteResult(Outcome.REJECTED, piece.named, status, piece.refusal_words, state)


def _unrefused(piece: Piece, status: int, state: str | None, policy: RetryPolicy, jitter: float) -> Step:
    """Calls a reference again that is not cancelled and was not refused, until its attempts are spent.

    Only an open or manifested state shows that no call has acted.
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
        return WriteResult(outcome, piece.named, status, f"no call was taken, and {said}", state)
    return WriteResult(Outcome.FAILED, piece.named, status, "no call was taken", state)


def _read_again(piece: Piece, delay_s: float, reads: int) -> ReadState:
    return ReadState(
        delay_s,
        piece.attempts,
        piece.named,
        reads=reads,
        refusal_status=piece.refusal_status,
        refusal_words=piece.refusal_words,
    )
