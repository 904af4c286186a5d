"""The JSON of jobs, accounts and results, as the contract has it."""

from collections.abc import Iterable, Sequence
from typing import Any

from cancellist.jobs.ledger.account_status import AccountStatus, state
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.consumers import ConsumerGroupStatus
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.ledger.stop_all import AllStopped
from cancellist.jobs.model import JobRecord, Result
from cancellist.jobs.safety.approval import Approval, approval_of
from cancellist.jobs.safety.effect import effect, hosts_of
from cancellist.jobs.safety.failure_stop import FailureKind, halt_of
from cancellist.jobs.safety.guard import Finding, in_words, unpack_findings
from cancellist.jobs.times import rfc3339


def job_view(snapshot: Snapshot) -> dict[str, Any]:
    """A job as the contract's JSON."""
    record, order = snapshot.record, snapshot.record.order
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
        "rate": _rounded(snapshot.estimate.rate),
        "eta_seconds": _rounded(snapshot.estimate.eta_s),
        "at_risk": snapshot.estimate.at_risk,
        "duplicates": record.duplicates,
        "invalid": record.invalid,
        "account": order.account,
        "priority": order.priority,
        "reason": order.reason,
        "requested_by": order.requested_by,
        "deadline": rfc3339(order.deadline_ms),
        "start_at": rfc3339(order.start_at_ms),
        "idempotency_key": order.idempotency_key,
        "hold_until": rfc3339(record.hold_until_ms),
        "submitted_by": order.submitted_by,
        "intake_entry": record.intake_entry,
        "max_refused": _limits(record, FailureKind.REFUSED),
        "max_unconfirmed": _limits(record, FailureKind.UNCONFIRMED),
        "canary": canary_view(record),
        "snapshot": order.snapshot,
        "halted": halt_view(record),
        "overridden_by": order.overridden_by,
        "override_reason": order.override_reason,
        "overrode": [_finding_view(finding) for finding in unpack_findings(record.overrode)],
        "approval": approval_view(record),
        "retry_of": order.retry_of,
        "retried_by": list(record.retried_by),
        **_gate_view(snapshot.gate),
    }


def _gate_view(gate: AccountGate) -> dict[str, Any]:
    """What the job's account allows now."""
    return {
        "all_stopped": stopped_view(gate.stopped),
        "account_new_host": gate.strange_host,
        "account_paused": gate.paused,
        "account_keeps_no_records": gate.keeps_no_records,
        "account_held_until": rfc3339(gate.hold_until_ms or None),
        "account_held_because": gate.hold_why or None,
        "account_breaker": breaker_view(gate),
        "account_limit": gate.limit,
        "account_calls_per_second": gate.calls_per_second,
        "account_list_size": gate.list_size,
        "account_list_refused": gate.list_refused,
        "calls_in_flight": gate.calls_in_flight,
        "workers": gate.workers,
    }


def halt_view(record: JobRecord) -> dict[str, Any] | None:
    """Why a job is halted, as JSON; null where it is not."""
    halt = halt_of(record)
    if halt is None:
        return None
    return {
        "why": halt.words,
        "counted": halt.cause,
        "limit": str(halt.limit),
        "found": halt.found,
        "results": halt.results,
        "among": halt.place,
        "at": rfc3339(halt.at_ms),
    }


def canary_view(record: JobRecord) -> dict[str, Any] | None:
    """The references that go before the rest, as JSON; null where there are none."""
    canary = record.canary
    if canary is None:
        return None
    return {"size": canary.size, "waiting": canary.waiting, "passed_at": rfc3339(canary.passed_at_ms)}


def approval_view(record: JobRecord) -> dict[str, Any] | None:
    """The approval that a job needs or needed, as JSON; null where it needs none."""
    approval = approval_of(record)
    if approval is None:
        return None
    rejection = approval.rejection
    return {
        "state": approval.state,
        "wanted": approval.wanted,
        "given": [{"by": one.by, "at": rfc3339(one.at_ms)} for one in approval.given],
        "count": approval.count,
        "digest": approval.digest,
        "lapses_at": rfc3339(approval.lapses_at_ms),
        "why": in_words(approval.why),
        "passes": [_finding_view(finding) for finding in approval.why],
        "rejected": rejection and {"by": rejection.by, "at": rfc3339(rejection.at_ms), "reason": rejection.reason},
    }


def effect_view(seen: Snapshot, approval: Approval, examples: Sequence[str]) -> dict[str, Any]:
    """What a job that must be approved would do, for who approves it, as JSON."""
    record = seen.record
    hosts = hosts_of(record, seen.gate.platforms)
    return {
        "job": record.id,
        "state": record.state,
        "account": record.order.account,
        "hosts": [{"host": one.host, "environment": one.kind} for one in hosts],
        "count": approval.count,
        "digest": approval.digest,
        "examples": list(examples),
        "effect": [line.strip() for line in effect(record, approval, examples, hosts, rfc3339)],
        "approval": approval_view(record),
    }


def _finding_view(finding: Finding) -> dict[str, Any]:
    return {
        "guard": finding.kind,
        "found": finding.found,
        "limit": finding.limit,
        "of": finding.of,
        "words": finding.words,
    }


def _limits(record: JobRecord, kind: FailureKind) -> list[str]:
    """The limits of a job's failure stop, such as `50` and `5%`."""
    return [limit for which, _, limit in (word.partition(":") for word in record.stop.split()) if which == kind]


def stopped_view(stopped: AllStopped | None) -> dict[str, Any] | None:
    """The stop of all accounts as JSON; null where there is none."""
    if stopped is None:
        return None
    return {"since": rfc3339(stopped.since_ms), "by": stopped.by, "why": stopped.why or None}


def stop_view(stopped: AllStopped | None, accounts: Iterable[AccountStatus]) -> dict[str, Any]:
    """Whether all accounts are stopped, as JSON."""
    return {
        "state": "stopped" if stopped else "running",
        **(stopped_view(stopped) or {"since": None, "by": None, "why": None}),
        "calls_in_flight": sum(status.gate.calls_in_flight for status in accounts),
    }


def breaker_view(gate: AccountGate) -> dict[str, Any] | None:
    """An account's open breaker as JSON; null where it is closed."""
    if gate.breaker is None:
        return None
    since, probe = rfc3339(gate.breaker.since_ms), rfc3339(gate.breaker.next_probe_ms)
    return {"why": gate.breaker.why, "since": since, "next_probe_at": probe}


def result_view(result: Result) -> dict[str, Any]:
    """A result as the contract's JSON."""
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


def account_view(status: AccountStatus) -> dict[str, Any]:
    """An account as the contract's JSON. Values that our settings do not have are null."""
    own, gate = status.configured, status.gate
    return {
        "account": status.name,
        "state": state(gate),
        "paused": gate.paused,
        "all_stopped": stopped_view(gate.stopped),
        "platform": own.platform if own else None,
        "called": [{"host": one.host, "environment": one.kind} for one in gate.platforms],
        "new_host": gate.strange_host,
        "key": own.has_key if own else None,
        "max_concurrent_calls": own.max_concurrent_calls if own else None,
        "max_calls_per_second": own.max_calls_per_second if own else None,
        "burst": own.burst if own else None,
        "max_references_per_call": own.max_references_per_call if own else None,
        "limit": gate.limit,
        "calls_per_second": gate.calls_per_second,
        "list_size": gate.list_size,
        "list_refused": gate.list_refused,
        "breaker": breaker_view(gate),
        "breaker_opened": gate.breaker_opened,
        "held_until": rfc3339(gate.hold_until_ms or None),
        "held_because": gate.hold_why or None,
        "calls_in_flight": gate.calls_in_flight,
        "workers": status.workers,
    }


def group_view(group: ConsumerGroupStatus) -> dict[str, Any]:
    """A consumer group as JSON."""
    return {
        "group": group.name,
        "lag": group.lag,
        "pending": group.pending,
        "oldest_pending_at": rfc3339(group.oldest_pending_ms),
        "oldest_pending_seconds": _age_s(group.oldest_pending_ms, group.now_ms),
        "last_delivered": group.last_delivered,
        "holds_up_trimming": group.holds_up,
        "held_up_seconds": group.held_up_ms // 1000,
        "consumers": [
            {"consumer": one.name, "pending": one.pending, "idle_seconds": one.idle_ms // 1000}
            for one in group.consumers
        ],
    }


def _age_s(at_ms: int | None, now_ms: int) -> int | None:
    return None if at_ms is None else max(0, now_ms - at_ms) // 1000
