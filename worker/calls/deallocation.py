"""Deallocating before cancelling, for accounts that need it: read first, and only what no carrier has yet.

Deallocating takes a manifested consignment from its carrier (platform's public guide), and where the cancelling call
then fails it stays so. So each state is read before, and what is manifested or past it is left as it is.
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
    """What came before the cancelling call.

    Attributes:
        deallocation: what it has come to mean for each reference.
        answer: what has stopped some of them; None where all may be cancelled.
        answered: whether that answer says something of what was asked.
    """

    deallocation: Deallocation
    answer: Answer | Failure | None = None
    answered: bool = False


async def prepare(client: PlatformClient, references: Sequence[str], may_send: MaySend) -> Prepared:
    """Reads each state, and deallocates what is allocated and with no carrier yet; one request for each, and one more.

    What cannot be read is not called either. A read that was refused for the caller's sake, or a few in a row that went
    wrong, stop all that were not read yet: the account is in trouble, not these references.
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
    """What the reads have found: what may be deallocated, and what stops the others."""

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
        states.stopped[reference] = verdict = _unread(reading, answer)
        if not reading.counted:  # the account may not go on: nothing was done for any of them
            return _States([], dict.fromkeys(references, verdict), answer)
        if wrong >= _WRONG_IN_A_ROW:
            untried = Untaken("the states of others could not be read", counted=False)
            states.stopped |= dict.fromkeys(references[n + 1 :], untried)
            break
    return states


def _dated(answer: Answer | Failure) -> Answer | Failure:
    """The answer without what it says of the last change: no call of ours is there yet that could have changed it."""
    return replace(answer, unmodified_s=None) if isinstance(answer, Answer) else answer


def _unread(reading: Unread, answer: Answer | Failure) -> Untaken:
    """Nothing was asked of the platform but a state: that is untaken, whatever came."""
    why = f"reading the state before deallocating: {reading.reason}"
    match answer:
        case Failure(written=written, withheld=withheld):
            return Untaken(why, counted=written, withheld=withheld)
        case Answer(status=status):
            after = NO_ANSWER if reading.outage else reading.alone_after
            return Untaken(why, status, counted=reading.counted and not reading.outage, alone_after=after)
