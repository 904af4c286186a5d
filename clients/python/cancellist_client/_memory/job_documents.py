"""The documents of jobs in memory, as the server writes them."""

from typing import Any

from cancellist_client._memory.job import Job


def submitted(job: Job) -> dict[str, Any]:
    """What is answered where a job is handed in."""
    return {
        "job": job.id,
        "state": job.state.value,
        "total": job.total,
        "duplicates": job.found.duplicates,
        "invalid": len(job.found.malformed),
        "blank": job.found.blank,
    }


def job_document(job: Job) -> dict[str, Any]:
    """A job as it stands."""
    counts: dict[str, int] = {}
    for result in job.results:
        counts[result.outcome.value] = counts.get(result.outcome.value, 0) + 1
    ended = job.finished_at.isoformat() if job.finished_at else None
    return {
        **submitted(job),
        "pending": job.total - len(job.results),
        "in_flight": 0,
        "outcomes": counts,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": ended,
        "rate": None,
        "eta_seconds": None,
        "account": job.options.account or "default",
        "priority": job.options.priority or "normal",
        "reason": job.options.reason,
        "requested_by": job.options.requested_by,
        "deadline": job.deadline.isoformat() if job.deadline else None,
        "start_at": job.start_at.isoformat() if job.start_at else None,
        "idempotency_key": job.options.idempotency_key,
        "hold_until": job.hold_until.isoformat() if job.hold_until else None,
        "max_refused": job.stop.limits("refused"),
        "max_unconfirmed": job.stop.limits("unconfirmed"),
        "halted": job.stop.halted,
        "retry_of": job.retry_of,
        "retried_by": list(job.retried_by),
    }


def mention(job: Job, reference: str) -> dict[str, Any]:
    """What a job says of one of its references."""
    result = next((one for one in job.results if one.reference == reference), None)
    document = (
        None
        if result is None
        else {
            name: getattr(result, name)
            for name in ("job", "reference", "outcome", "message", "status", "state", "attempts")
        }
        | {"at": result.at.isoformat()}
    )
    return {
        "job": job.id,
        "state": job.state.value,
        "created_at": job.created_at.isoformat(),
        "requested_by": job.options.requested_by,
        "reason": job.options.reason,
        "outcome": None if result is None else result.outcome,
        "result": document,
    }
