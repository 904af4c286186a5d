"""Snapshots of jobs: their records, the gates of their accounts, and their rate and time left at one moment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cancellist.jobs.ledger import accounts as ledger_accounts
from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.records import Moment
from cancellist.jobs.model import JobRecord, JobState, Outcome
from cancellist.jobs.progress.forecast import AccountLoad, Estimate, estimate


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job, the gate of its account, and its rate and time left, at one moment by the server's clock."""

    record: JobRecord
    gate: AccountGate
    now_ms: int
    estimate: Estimate

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """The counts of outcomes that occurred, in the contract's order."""
        return {outcome: count for outcome in Outcome if (count := self.record.outcomes.get(outcome, 0))}

    @property
    def lacks_records(self) -> bool:
        """Whether its calls wait for a worker that can keep records."""
        record = self.record
        waits = record.state in {JobState.QUEUED, JobState.RUNNING} and record.uncalled > 0
        return waits and record.order.snapshot and self.gate.keeps_no_records


async def look(ledger: Ledger, job: str) -> Snapshot:
    """A snapshot of one job.

    Raises:
        UnknownJobError: no job has that id.
    """
    return (await look_at(ledger, [await records.get(ledger, job)]))[0]


async def look_at(ledger: Ledger, found: Iterable[JobRecord]) -> list[Snapshot]:
    """Snapshots of these jobs, in their order."""
    found = list(found)
    going = [record.id for record in found if not record.state.ended]
    rivals = await records.rivals(ledger) if going else []
    names = list(dict.fromkeys(record.order.account for record in found))
    moment = await records.moment(ledger, names, list(dict.fromkeys([*going, *(rivals or ())])))
    unfinished = None if rivals is None else [moment.jobs[job] for job in rivals if job in moment.jobs]
    gates = {name: await ledger_accounts.gate(ledger, name) for name in names}
    accounts = {name: await _account(ledger, name, gates[name], moment, unfinished) for name in names}
    snapshots = []
    for known in found:
        record, name = moment.jobs.get(known.id, known), known.order.account
        snapshots.append(Snapshot(record, gates[name], moment.at_ms, estimate(record, accounts[name], moment.at_ms)))
    return snapshots


async def _account(
    ledger: Ledger, name: str, gate: AccountGate, moment: Moment, unfinished: Sequence[JobRecord] | None
) -> AccountLoad:
    return AccountLoad(
        open=not gate.shut and gate.breaker is None,
        hold_until_ms=gate.hold_until_ms,
        stops=await records.stops(ledger, name),
        calls=moment.calls[name],
        claims=moment.claims[name],
        workers=gate.workers,
        unfinished=unfinished,
        due_ms=moment.due_ms,
        limit=gate.limit,
    )


async def unfinished(ledger: Ledger) -> list[Snapshot]:
    """Jobs that have not ended, oldest first, without submissions that are not sealed yet."""
    return await look_at(ledger, _whole(await records.unfinished(ledger)))


def _whole(found: Iterable[JobRecord]) -> list[JobRecord]:
    return [record for record in found if record.state is not JobState.SEALING]
