"""Deallocates before cancelling, for accounts that need it: only consignments that a read shows to be with no carrier.

A deallocation takes a manifested consignment from its carrier (source: the platform's public guide). If the cancelling
call then fails, it stays without one. So each state is read before, and consignments that are manifested or past that
are not deallocated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cancellist.jobs.responses.answer import Answer, Failure
from cancellist.jobs.responses.deallocation import Deallocation, is_allocated, judge_deallocation
from cancellist.jobs.responses.status_read import Found, Unread, judge_reading
from cancellist.jobs.responses.verdicts import NO_ANSWER, Untaken, Verdict
from cancellist.worker.platform.client import MaySend, PlatformClient

_WRONG_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Prepared:
    """The outcome of the steps before the cancelling call.

    Attributes:
        deallocation: the outcome for each reference.
        answer: the answer that stopped some references; None where all may be cancelled.
        answered: whether that answer is about the references.
    """

    deallocation: Deallocation
    answer: Answer | Failure | None = None
    answered: bool = False


async def prepare(client: PlatformClient, references: Sequence[str], may_send: MaySend) -> Prepared:
    """Reads each state by a request of its own, then deallocates all that are allocated by one request.

    A reference that cannot be read is not called. A read that is refused because of the caller, or three failed reads
    in a row, stop all references that were not read yet: the account is in trouble, not these references.
    """
    read = await _read(client, references, may_send)
    if not read.allocated:
        return Prepared(Deallocation(read.stopped), read.answer, answered=read.answered)
    first = await client.deallocate(read.allocated, may_send)
    deallocation = judge_deallocation(read.allocated, first)
    answered = len(deallocation.stopped) < len(read.allocated)
    stopped = {**deallocation.stopped, **read.stopped}
    return Prepared(replace(deallocation, stopped=stopped), first if stopped else None, answered=answered)


@dataclass(slots=True)
class _States:
    """The result of the reads: references that may be deallocated, and the verdicts of those that are stopped."""

    allocated: list[str] = field(default_factory=list)
    stopped: dict[str, Verdict] = field(default_factory=dict)
    answer: Answer | Failure | None = None
    answered: bool = False


async def _read(client: PlatformClient, references: Sequence[str], may_send: MaySend) -> _States:
    states, wrong = _States(), 0
    for n, reference in enumerate(references):
        answer = await client.status(reference, may_send)
        reading = judge_reading(reference, _dated(answer), since_call_s=0.0)
        if not isinstance(reading, Unread):
            wrong = 0
            if isinstance(reading, Found) and is_allocated(reading.state):
                states.allocated.append(reference)
            continue
        wrong += 1
        states.answer, states.answered = answer, reading.answered
        states.stopped[reference] = verdict = unread(reading, answer, "reading the state before deallocating")
        if not reading.counted:  # the account may not call now: no reference was touched
            return _States([], dict.fromkeys(references, verdict), answer)
        if wrong >= _WRONG_IN_A_ROW:
            untried = Untaken("the states of others could not be read", counted=False)
            states.stopped |= dict.fromkeys(references[n + 1 :], untried)
            break
    return states


def _dated(answer: Answer | Failure) -> Answer | Failure:
    """The answer without its time of change: there was no call of ours yet that could have changed anything."""
    return replace(answer, unmodified_s=None) if isinstance(answer, Answer) else answer


def unread(reading: Unread, answer: Answer | Failure, doing: str) -> Untaken:
    """The verdict after a failed read before a call. The platform was only asked, so it did not act."""
    why = f"{doing}: {reading.reason}"
    match answer:
        case Failure(written=written, withheld=withheld):
            return Untaken(why, counted=written, withheld=withheld, asked=written)
        case Answer(status=status):
            after = NO_ANSWER if reading.outage else reading.alone_after
            counted = reading.counted and not reading.outage
            return Untaken(why, status, counted=counted, alone_after=after, asked=True)
