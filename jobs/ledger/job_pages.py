"""Jobs in pages, newest first, by what they are asked for."""

from dataclasses import dataclass

from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import JobRecord, JobState

_CHUNK = 200
_MOST_LOOKED_AT = 5000


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted; what is left out may be anything.

    Attributes:
        states: one of these.
        account: of this account.
        requested_by: wanted by this person or system.
        since_ms: made then or later.
    """

    states: frozenset[JobState] = frozenset()
    account: str | None = None
    requested_by: str | None = None
    since_ms: int | None = None

    def takes(self, record: JobRecord) -> bool:
        """Whether a job is among them; one that is still being handed in never is."""
        return (
            record.state is not JobState.SEALING
            and (not self.states or record.state in self.states)
            and self.account in {None, record.order.account}
            and self.requested_by in {None, record.order.requested_by}
            and (self.since_ms is None or record.created_at_ms >= self.since_ms)
        )


@dataclass(frozen=True, slots=True)
class JobsPlace:
    """The job that a page has ended with: when it was made, and its id."""

    at_ms: int
    job: str


@dataclass(frozen=True, slots=True)
class JobsPage:
    """Jobs, and where the next page begins; None where no more follow."""

    records: list[JobRecord]
    next: JobsPlace | None


async def page(ledger: Ledger, wanted: JobFilter, *, before: JobsPlace | None, limit: int) -> JobsPage:
    """The newest jobs before a place; fewer than `limit`, or none, come where few of many are wanted."""
    found: list[JobRecord] = []
    offset = 0
    while True:
        rows = await _rows(ledger, wanted.since_ms, before, offset)
        offset += len(rows)
        older = [
            JobsPlace(at_ms, job) for job, at_ms in rows if before is None or (at_ms, job) < (before.at_ms, before.job)
        ]
        records_of = {record.id: record for record in await records.several(ledger, [place.job for place in older])}
        for place in older:
            record = records_of.get(place.job)
            if record is None or not wanted.takes(record):
                continue
            found.append(record)
            if len(found) == limit:
                return JobsPage(found, place)
        if len(rows) < _CHUNK:
            return JobsPage(found, None)
        if offset >= _MOST_LOOKED_AT:
            return JobsPage(found, JobsPlace(rows[-1][1], rows[-1][0]))


async def first(ledger: Ledger, wanted: JobFilter, limit: int) -> list[JobRecord]:
    """The newest jobs, at most so many; all jobs there are may be looked at for them."""
    found: list[JobRecord] = []
    before = None
    while True:
        one = await page(ledger, wanted, before=before, limit=limit - len(found))
        found += one.records
        before = one.next
        if before is None or len(found) == limit:
            return found


async def _rows(ledger: Ledger, since_ms: int | None, before: JobsPlace | None, offset: int) -> list[tuple[str, int]]:
    """Ids of jobs and when each was made, newest first."""
    with translated():
        rows = await ledger.redis.zrange(
            ledger.keys.jobs,
            "+inf" if before is None else before.at_ms,
            "-inf" if since_ms is None else since_ms,
            desc=True,
            byscore=True,
            offset=offset,
            num=_CHUNK,
            withscores=True,
        )
    return [(job.decode(), int(at_ms)) for job, at_ms in rows]
