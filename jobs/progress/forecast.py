"""Estimates when a job ends among the other jobs of its account, and how many references miss its deadline.

An account serves the higher class first, and the earliest deadline within a class. Jobs that are equal in both take
turns, so each gets the same share until the smaller ones are done.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cancellist.jobs.model import JobRecord, JobRequest, JobState, Outcome
from cancellist.jobs.progress.eta import PauseHistory, Progress, clock_ms, progress, stops_clock
from cancellist.jobs.progress.merged_samples import merged

_NEVER_MS = 5 * 10**13
"""The place of a job without a deadline in the order (lua/shared/queues.lua)."""


_GOES_ON = frozenset({JobState.QUEUED, JobState.RUNNING})


@dataclass(frozen=True, slots=True)
class Estimate:
    """A job's rate, its time left, and the references that will miss its deadline; None where it is unknown."""

    rate: float | None
    eta_s: float | None
    at_risk: int | None


@dataclass(frozen=True, slots=True)
class AccountLoad:
    """The state of an account that all its jobs share.

    Attributes:
        open: the account is not paused and its breaker is closed.
        hold_until_ms: until when the account is held; 0 where it is not.
        stops: the last pause and hold.
        calls: calls in flight.
        claims: claims in flight or staged.
        workers: live workers.
        unfinished: jobs that have not ended; None where there are too many to read.
        due_ms: by job, when the last reference that waits for a retry may be called, where it is known.
        limit: calls at once that flow control allows; None where it has no limit yet.
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
    """Another job of the account that may run, and how many of its references come into question."""

    order: JobRequest
    left: int


def estimate(record: JobRecord, account: AccountLoad, now_ms: int) -> Estimate:
    """Estimates a job's rate, time left and risk; `now_ms` is by the server's clock."""
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
    """The average rate of an ended job, in results a second; None where it took no time."""
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
    """The share of claimed references that is in calls; the rest is staged."""
    return min(1.0, account.calls / account.claims) if account.claims else 1.0


def _shares(record: JobRecord, account: AccountLoad) -> bool:
    """Whether other jobs may share the account's calls."""
    return account.unfinished is None or any(_contends(other, record) for other in account.unfinished)


def _left(record: JobRecord) -> int:
    """The references that still need the platform. Malformed ones get their results without it."""
    return record.total - record.settled - max(0, record.invalid - record.outcomes.get(Outcome.INVALID, 0))


def _contends(other: JobRecord, own: JobRecord) -> bool:
    return other.id != own.id and other.order.account == own.order.account and other.state in _GOES_ON


def _together(own: Progress, others: Iterable[Progress]) -> float | None:
    rates = [one.rate for one in (own, *others) if one.rate is not None]
    return sum(rates) if rates else None


def _eta_s(
    record: JobRecord, account: AccountLoad, own: Progress, by_pace_s: float | None, now_ms: int
) -> float | None:
    """The time left, at least as long as the retries that wait and the account's hold."""
    due_ms = account.due_ms.get(record.id, 0)
    tried_s = None if due_ms <= now_ms else (due_ms - now_ms) / 1000 + (own.call_s or 0.0)
    hold_s = max(0.0, (account.hold_until_ms - now_ms) / 1000)
    if by_pace_s is not None and hold_s:
        # A long hold stops the job's clock. A short one is part of its pace.
        by_pace_s = by_pace_s + hold_s if _stands(record, account) else max(by_pace_s, hold_s + (own.call_s or 0.0))
    known = [one for one in (by_pace_s, tried_s) if one is not None]
    return max(known) if known else None


def _stands(record: JobRecord, account: AccountLoad) -> bool:
    """Whether the account's hold stops the job's clock."""
    return stops_clock(account.hold_until_ms, (record.started_at_ms or 0) + record.idle_ms + record.last_at_ms)


def _by_pace_s(
    record: JobRecord, own: Progress, others: Sequence[JobRecord], rate: float | None, account: AccountLoad, now_ms: int
) -> float | None:
    """The time left: by the job's own pace where it runs alone or is all in calls, else by the pace of all jobs."""
    if own.rate is not None and (not others or record.pending == 0):
        return own.eta_s
    if not rate:
        return None
    going = [record, *others]
    left = math.ceil(until_its_end(record.order, _left(record), _rivals(others), rate, now_ms))
    claimed, before = sum(one.in_flight for one in going), _claimed_until(record, others)
    samples, clock = merged((one.samples, _clock_ms(one, account, now_ms)) for one in going if one.samples)
    # Staged claims of later jobs let this job pass. Calls in flight must end first, whosever they are.
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
    """When the job's references may be claimed; None where a person must act first."""
    if not account.open or account.workers == 0 or record.waits_for_approval:
        return None
    if record.state is JobState.HELD and record.starts_at_ms:
        return max(now_ms, record.starts_at_ms, account.hold_until_ms)
    return max(now_ms, account.hold_until_ms) if record.state in _GOES_ON else None


def until_its_end(own: JobRequest, left: int, rivals: Sequence[CompetingJob], rate: float, now_ms: int) -> float:
    """The references, of all jobs, that get their results before the last one of this job has its own."""
    ahead, peers = _before(own, rivals, rate, now_ms)
    return ahead + sum(min(peer, left) for peer in peers) + left


def _claimed_until(record: JobRecord, others: Iterable[JobRecord]) -> int:
    """How many of the references that come before this job's end are in claims."""
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
    """How many references of a job will not be claimed by its deadline; None without a deadline or a rate.

    Args:
        own: the job.
        pending: its references that are not in a call.
        rivals: the other jobs of the account that may run.
        rate: results a second of all jobs together.
        now_ms: by the server's clock.
        goes_on_at_ms: when the job may run; None where a person must act first.
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
    """The references that go before a job, and those of each job that takes turns with it."""
    ahead, peers = 0.0, []
    for rival in sorted(rivals, key=lambda one: _place(one.order)):
        wants: float = rival.left
        if rival.order.deadline_ms is not None:  # references that are left at the deadline expire
            wants = min(wants, max(0.0, rate * (rival.order.deadline_ms - now_ms) / 1000 - ahead))
        if _place(rival.order) < _place(own):
            ahead += wants
        elif _place(rival.order) == _place(own):
            peers.append(wants)
    return ahead, peers


def _place(order: JobRequest) -> tuple[int, int]:
    return order.priority.rank, min(order.deadline_ms or _NEVER_MS, _NEVER_MS)


def _share(budget: float, peers: Iterable[float]) -> float:
    """A job's part of a budget that it shares evenly with peers; a peer takes no more than it wants."""
    wants = sorted(peers)
    for done, want in enumerate(wants):
        if want * (len(wants) + 1 - done) >= budget:
            return max(0.0, budget / (len(wants) + 1 - done))
        budget -= want
    return max(0.0, budget)
