"""What the ledger knows of how fast an account's jobs go."""

from dataclasses import dataclass, replace
from typing import Final

from cancellist.jobs.ledger import accounts, records, snapshots
from cancellist.jobs.ledger.claims import Terms
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.model import JobRecord, JobState
from cancellist.jobs.progress.forecast import overall
from cancellist.jobs.safety.preflight import Pace

_GOES_ON: Final = frozenset({JobState.QUEUED, JobState.RUNNING})
_LATELY_MS: Final = 86_400_000
_LEAST: Final = 100
"""Results of a job whose rate says something of the next one's."""


@dataclass(frozen=True, slots=True)
class _Rate:
    """Results a second, and of what."""

    rate: float | None = None
    what: str = ""


async def pace_of(ledger: Ledger, account: str, terms: Terms, call_s: float | None) -> Pace:
    """The pace of an account's next job.

    Args:
        ledger: what is known of its jobs.
        account: the account.
        terms: its limits.
        call_s: how long a call takes; None where it is not known.
    """
    gate = await accounts.gate(ledger, account)
    going = [one for one in await records.unfinished(ledger) if one.order.account == account and one.state in _GOES_ON]
    rate = await _rate(ledger, account, going)
    learnt = [1e6 / terms.interval_us] if terms.interval_us else []
    learnt += [gate.calls_per_second] if gate.calls_per_second else []
    pace = Pace(
        per_call=min(terms.per_call, gate.list_size or terms.per_call),
        at_once=min(terms.limit, gate.limit or terms.limit),
        calls_per_second=min(learnt, default=None),
        call_s=call_s,
        waiting=sum(one.pending + one.in_flight for one in going),
    )
    return replace(pace, rate=rate.rate, rate_of=rate.what)


async def _rate(ledger: Ledger, account: str, going: list[JobRecord]) -> _Rate:
    running = [one for one in going if one.state is JobState.RUNNING]
    now = [seen.estimate.rate for seen in await snapshots.look_at(ledger, running)] if running else []
    if known := [rate for rate in now if rate]:
        return _Rate(sum(known), "the present rate of the account's jobs")
    since_ms = await ledger.now_ms() - _LATELY_MS
    for record in reversed(await records.finished_since(ledger, since_ms)):
        took_ms = (record.finished_at_ms or 0) - (record.started_at_ms or 0)
        if record.order.account == account and record.started_at_ms and record.settled >= _LEAST:
            return _Rate(overall(record.settled, took_ms), f"the rate of job {record.id}")
    return _Rate()
