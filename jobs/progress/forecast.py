"""When a job among the others of its account will be done, and what of it comes too late for its deadline.

The account serves a higher class first, within a class the earliest deadline, and jobs that are equal in both in turns:
then each gets the same until the smaller ones are done.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cancellist.jobs.model import JobRecord, JobRequest, JobState, Outcome
from cancellist.jobs.progress.eta import PauseHistory, Progress, clock_ms, progress, stops_clock
from cancellist.jobs.progress.merged_samples import merged

_NEVER_MS = 5 * 10**13
"""Where a job without a deadline stands, as lua/shared/queues.lua has it."""


_GOES_ON = frozenset({JobState.QUEUED, JobState.RUNNING})


@dataclass(frozen=True, slots=True)
class Estimate:
    """How fast a job goes, how long it will take, and what of it comes too late; None where it cannot be said."""

    rate: float | None
    eta_s: float | None
    at_risk: int | None


@dataclass(frozen=True, slots=True)
class AccountLoad:
    """What the jobs of an account have in common.

    Attributes:
        open: it is neither paused nor kept shut by a breaker.
        hold_until_ms: 0, or until when it is held.
        stops: when it stood still last.
        calls: calls in flight.
        claims: claims, in flight or staged.
        workers: workers that live.
        unfinished: its jobs that have not ended; None where they are too many to be looked at.
        due_ms: by job, when the last of what waits for another try may go on, where that is known.
        limit: calls at once that flow control allows; None where it knows no limit.
    """

    open: bool
    hold_until_ms: int
    stops: PauseHistory
    calls: int
    claims: int
    workers: int
    unfinished: Sequence[JobRecord] | None
    due_ms: Mapping[str, int] = field(default_factory=dict)
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class CompetingJob:
    """A job of the same account that may go on, and how many references of it are left, or are left to be taken."""

    order: JobRequest
    left: int


def estimate(record: JobRecord, account: AccountLoad, now_ms: int) -> Estimate:
    """What can be said of a job at this moment by the server's clock."""
    if record.state.ended:
        took_ms = (record.finished_at_ms or 0) - (record.started_at_ms or record.finished_at_ms or 0)
        return Estimate(overall(record.settled, took_ms), 0.0, None if record.order.deadline_ms is None else 0)
    own = _pace(record, account, now_ms)
    others = [] if account.unfinished is None else [j for j in account.unfinished if _contends(j, record)]
    moves = record.state in _GOES_ON and account.open
    goes_on = moves and not account.hold_until_ms
    untaken = [CompetingJob(other.order, other.pending) for other in others]
    rate = _together(own, [_pace(other, account, now_ms) for other in others])
    if account.unfinished is None and record.started_at_ms is None:
        rate = None
    return Estimate(
        rate=0.0 if own.rate and not goes_on and record.in_flight == 0 else own.rate,
        eta_s=_eta_s(record, account, own, _by_pace_s(record, own, others, rate, account, now_ms), now_ms)
        if moves
        else None,
        at_risk=at_risk(record.order, record.pending, untaken, rate, now_ms, _goes_on_at_ms(record, account, now_ms)),
    )


def overall(results: int, took_ms: int) -> float | None:
    """The rate of an ended job over its whole life."""
    return results * 1000 / took_ms if took_ms > 0 else None


def _pace(record: JobRecord, account: AccountLoad, now_ms: int) -> Progress:
    if record.started_at_ms is None:
        return Progress(None, None)
    left = _left(record)
    return progress(
        left=left,
        samples=record.samples,
        in_calls=record.in_flight * _sent(account),
        calls=account.calls,
        now_ms=_clock_ms(record, account, now_ms),
        claims=0 if _shares(record, account) else account.claims,
        unclaimed=max(0, left - record.in_flight),
        limit=account.limit,
    )


def _clock_ms(record: JobRecord, account: AccountLoad, now_ms: int) -> int:
    return clock_ms(
        started_at_ms=record.started_at_ms or now_ms,
        idle_ms=record.idle_ms,
        last_at_ms=record.last_at_ms,
        paused_at_ms=record.paused_at_ms,
        stops=account.stops,
        now_ms=now_ms,
    )


def _sent(account: AccountLoad) -> float:
    """The share of what is claimed that is in calls, the rest being staged."""
    return min(1.0, account.calls / account.claims) if account.claims else 1.0


def _shares(record: JobRecord, account: AccountLoad) -> bool:
    """Whether calls of the account may be those of other jobs."""
    return account.unfinished is None or any(_contends(other, record) for other in account.unfinished)


def _left(record: JobRecord) -> int:
    """References that still need the platform: malformed ones get their results by themselves."""
    return record.total - record.settled - max(0, record.invalid - record.outcomes.get(Outcome.INVALID, 0))


def _contends(other: JobRecord, own: JobRecord) -> bool:
    return other.id != own.id and other.order.account == own.order.account and other.state in _GOES_ON


def _together(own: Progress, others: Iterable[Progress]) -> float | None:
    rates = [one.rate for one in (own, *others) if one.rate is not None]
    return sum(rates) if rates else None


def _eta_s(
    record: JobRecord, account: AccountLoad, own: Progress, by_pace_s: float | None, now_ms: int
) -> float | None:
    """Not before what waits for another try has had it, nor before a hold is over, if all goes well then."""
    due_ms = account.due_ms.get(record.id, 0)
    tried_s = None if due_ms <= now_ms else (due_ms - now_ms) / 1000 + (own.call_s or 0.0)
    hold_s = max(0.0, (account.hold_until_ms - now_ms) / 1000)
    if by_pace_s is not None and hold_s:
        # A long hold stops the job's clock; short ones are part of its pace.
        by_pace_s = by_pace_s + hold_s if _stands(record, account) else max(by_pace_s, hold_s + (own.call_s or 0.0))
    known = [one for one in (by_pace_s, tried_s) if one is not None]
    return max(known) if known else None


def _stands(record: JobRecord, account: AccountLoad) -> bool:
    """Whether the account's hold is one that stops the clock of a job."""
    return stops_clock(account.hold_until_ms, (record.started_at_ms or 0) + record.idle_ms + record.last_at_ms)


def _by_pace_s(
    record: JobRecord, own: Progress, others: Sequence[JobRecord], rate: float | None, account: AccountLoad, now_ms: int
) -> float | None:
    """By its own pace where it has one, and is alone or all of it is in calls, else by that of all jobs together."""
    if own.rate is not None and (not others or record.pending == 0):
        return own.eta_s
    if not rate:
        return None
    going = [record, *others]
    left = math.ceil(until_its_end(record.order, _left(record), _rivals(others), rate, now_ms))
    claimed, before = sum(one.in_flight for one in going), _claimed_until(record, others)
    samples, clock = merged((one.samples, _clock_ms(one, account, now_ms)) for one in going if one.samples)
    # What is staged for jobs that come later lets it pass; what is in calls has to end all the same.
    staged = max(0, account.claims - account.calls) * (before / claimed if claimed else 0.0)
    return progress(
        left=left,
        samples=samples,
        in_calls=claimed * _sent(account),
        calls=account.calls,
        now_ms=clock,
        claims=account.calls + math.ceil(staged),
        unclaimed=max(0, left - before),
        limit=account.limit,
    ).eta_s


def _rivals(others: Iterable[JobRecord]) -> list[CompetingJob]:
    return [CompetingJob(other.order, _left(other)) for other in others]


def _goes_on_at_ms(record: JobRecord, account: AccountLoad, now_ms: int) -> int | None:
    """When it may be taken from; None where somebody has to let it."""
    if not account.open or account.workers == 0:
        return None
    if record.state is JobState.HELD and record.order.start_at_ms:
        return max(now_ms, record.order.start_at_ms, account.hold_until_ms)
    return max(now_ms, account.hold_until_ms) if record.state in _GOES_ON else None


def until_its_end(own: JobRequest, left: int, rivals: Sequence[CompetingJob], rate: float, now_ms: int) -> float:
    """References that get their results until the last of a job has, all jobs together having this rate."""
    ahead, peers = _before(own, rivals, rate, now_ms)
    return ahead + sum(min(peer, left) for peer in peers) + left


def _claimed_until(record: JobRecord, others: Iterable[JobRecord]) -> int:
    """How many of those are in calls or staged."""
    own, left = _place(record.order), _left(record)
    places = [(_place(other.order), other.in_flight) for other in others]
    return record.in_flight + sum(
        min(claimed, left) if place == own else claimed for place, claimed in places if place <= own
    )


def at_risk(
    own: JobRequest,
    pending: int,
    rivals: Sequence[CompetingJob],
    rate: float | None,
    now_ms: int,
    goes_on_at_ms: int | None,
) -> int | None:
    """How many references of a job will not have been taken by its deadline; None where it has none or no rate.

    Args:
        own: the job.
        pending: references of it that are not in a call.
        rivals: the other jobs of its account that may go on.
        rate: results a second of all of them together.
        now_ms: by the server's clock.
        goes_on_at_ms: when it may go on, by itself; None where somebody has to let it.
    """
    if own.deadline_ms is None:
        return None
    if pending == 0 or goes_on_at_ms is None or goes_on_at_ms >= own.deadline_ms:
        return pending
    if rate is None:
        return None
    ahead, peers = _before(own, rivals, rate, now_ms)
    budget = rate * (own.deadline_ms - max(now_ms, goes_on_at_ms)) / 1000 - ahead
    return max(0, math.ceil(pending - _share(budget, peers)))


def _before(own: JobRequest, rivals: Iterable[CompetingJob], rate: float, now_ms: int) -> tuple[float, list[float]]:
    """What goes before a job, and what each of those wants that take turns with it."""
    ahead, peers = 0.0, []
    for rival in sorted(rivals, key=lambda one: _place(one.order)):
        wants: float = rival.left
        if rival.order.deadline_ms is not None:  # what of it is left then expires
            wants = min(wants, max(0.0, rate * (rival.order.deadline_ms - now_ms) / 1000 - ahead))
        if _place(rival.order) < _place(own):
            ahead += wants
        elif _place(rival.order) == _place(own):
            peers.append(wants)
    return ahead, peers


def _place(order: JobRequest) -> tuple[int, int]:
    return order.priority.rank, min(order.deadline_ms or _NEVER_MS, _NEVER_MS)


def _share(budget: float, peers: Iterable[float]) -> float:
    """What a job that wants much gets of a budget that it shares evenly with peers who want so much."""
    wants = sorted(peers)
    for done, want in enumerate(wants):
        if want * (len(wants) + 1 - done) >= budget:
            return max(0.0, budget / (len(wants) + 1 - done))
        budget -= want
    return max(0.0, budget)
