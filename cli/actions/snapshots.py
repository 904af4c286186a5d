"""A job as it stands at one moment, and its JSON document."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cancellist.jobs.ledger import accounts as ledger_accounts
from cancellist.jobs.ledger import records
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.records import Moment
from cancellist.jobs.model import JobRecord, JobState, Outcome, Result
from cancellist.jobs.progress.forecast import AccountLoad, Estimate, estimate
from cancellist.jobs.times import rfc3339


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job, the gate of its account, and how fast it goes, at one moment by the server's clock."""

    record: JobRecord
    gate: AccountGate
    now_ms: int
    estimate: Estimate

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """Counts of those outcomes that occurred, in the order of the contract."""
        return {outcome: count for outcome in Outcome if (count := self.record.outcomes.get(outcome, 0))}


async def look(ledger: Ledger, job: str) -> Snapshot:
    """One job now.

    Raises:
        UnknownJobError: there is none of that id.
    """
    return (await look_at(ledger, [await records.get(ledger, job)]))[0]


async def look_at(ledger: Ledger, found: Iterable[JobRecord]) -> list[Snapshot]:
    """These jobs now."""
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
        open=not gate.paused and gate.breaker is None,
        hold_until_ms=gate.hold_until_ms,
        stops=await records.stops(ledger, name),
        calls=moment.calls[name],
        claims=moment.claims[name],
        workers=gate.workers,
        unfinished=unfinished,
        due_ms=moment.due_ms,
        limit=gate.limit,
    )


async def newest(ledger: Ledger, limit: int) -> list[Snapshot]:
    """The newest jobs, without those that are still being handed in."""
    return await look_at(ledger, _whole(await records.newest(ledger, limit)))


async def unfinished(ledger: Ledger) -> list[Snapshot]:
    """Jobs that have not ended, oldest first, without those that are still being handed in."""
    return await look_at(ledger, _whole(await records.unfinished(ledger)))


def _whole(found: Iterable[JobRecord]) -> list[JobRecord]:
    return [record for record in found if record.state is not JobState.SEALING]


def document(snapshot: Snapshot) -> dict[str, Any]:
    """The contract's document of a job."""
    record, order, gate = snapshot.record, snapshot.record.order, snapshot.gate
    return {
        "job": record.id,
        "state": record.state,
        "total": record.total,
        "pending": record.pending,
        "in_flight": record.in_flight,
        "outcomes": {outcome.value: count for outcome, count in snapshot.outcomes.items()},
        "created_at": rfc3339(record.created_at_ms),
        "started_at": rfc3339(record.started_at_ms),
        "finished_at": rfc3339(record.finished_at_ms),
        "rate": _rounded(snapshot.outlook.rate),
        "eta_seconds": _rounded(snapshot.outlook.eta_s),
        "at_risk": snapshot.outlook.at_risk,
        "duplicates": record.duplicates,
        "invalid": record.invalid,
        "account": order.account,
        "priority": order.priority,
        "reason": order.reason,
        "requested_by": order.requested_by,
        "deadline": rfc3339(order.deadline_ms),
        "start_at": rfc3339(order.start_at_ms),
        "idempotency_key": order.idempotency_key,
        "intake_entry": record.intake_entry,
        "account_paused": gate.paused,
        "account_held_until": rfc3339(gate.hold_until_ms or None),
        "account_held_because": gate.hold_why or None,
        "account_breaker": breaker_document(gate),
        "account_limit": gate.limit,
        "account_calls_per_second": gate.calls_per_second,
        "account_list_size": gate.list_size,
        "account_list_refused": gate.list_refused,
        "calls_in_flight": gate.calls_in_flight,
        "workers": gate.workers,
    }


def breaker_document(gate: AccountGate) -> dict[str, Any] | None:
    """An account's open breaker as JSON; null where it is closed."""
    if gate.breaker is None:
        return None
    since, probe = rfc3339(gate.breaker.since_ms), rfc3339(gate.breaker.next_probe_ms)
    return {"why": gate.breaker.why, "since": since, "next_probe_at": probe}


def result_document(result: Result) -> dict[str, Any]:
    """The contract's document of a result."""
    return {
        "job": result.job,
        "reference": result.reference,
        "outcome": result.outcome,
        "message": result.message,
        "status": result.status,
        "state": result.state,
        "attempts": result.attempts,
        "at": rfc3339(result.at_ms),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
