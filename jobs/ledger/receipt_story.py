"""What a receipt tells of its job: who wanted it and why, when it ran, what guarded it, and what was done to it."""

from collections.abc import Mapping
from typing import Any, Final

from cancellist.jobs.ledger import audit, hosts
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.ledger.server.connection import translated
from cancellist.jobs.model import JobRecord
from cancellist.jobs.safety.canonical_json import parse
from cancellist.jobs.times import rfc3339

SAFEGUARDS: Final = (
    "plan", "digest", "canary_size", "snapshot", "stop", "halted_why", "overrode", "overridden_by",
    "override_reason", "approvals_wanted", "approval_why", "approvals", "rejected_by", "reject_reason",
)  # fmt: skip
"""Fields of the job's record that say what guarded it, as they are stored. JSON is given as what it is."""
_TIMES: Final = ("halted_at", "continued_at", "canary_passed", "approval_until", "rejected_at")
_LEFT_OUT: Final = {"where", "job"}
_MOST_ACTS: Final = 1000


async def story(ledger: Ledger, record: JobRecord) -> dict[str, Any]:
    """The document of a job for its receipt; what is not known is left out."""
    order = record.order
    told = {
        "job": record.id,
        "state": record.state.value,
        "account": order.account,
        "hosts": [one.host for one in await hosts.called(ledger, order.account)],
        "reason": order.reason,
        "requested_by": order.requested_by,
        "submitted_by": order.submitted_by,
        "intake_entry": record.intake_entry,
        "idempotency_key": order.idempotency_key,
        "priority": order.priority.value,
        "deadline": rfc3339(order.deadline_ms),
        "start_at": rfc3339(order.start_at_ms),
        "hold_until": rfc3339(record.hold_until_ms),
        "created_at": rfc3339(record.created_at_ms),
        "started_at": rfc3339(record.started_at_ms),
        "finished_at": rfc3339(record.finished_at_ms),
        "retry_of": order.retry_of,
        **await _safeguards(ledger, record.id),
        "acts": await _acts(ledger, record),
    }
    return {name: value for name, value in told.items() if value not in (None, "", [])}


async def _safeguards(ledger: Ledger, job: str) -> dict[str, Any]:
    names = (*SAFEGUARDS, *_TIMES)
    with translated():
        values = await ledger.redis.hmget(ledger.keys.job(job), names)
    stored = {name: value.decode(errors="backslashreplace") for name, value in zip(names, values, strict=True) if value}
    times = {name: rfc3339(int(value)) for name, value in stored.items() if name in _TIMES and value.isdecimal()}
    return {name: _structured(value) for name, value in stored.items() if name not in _TIMES} | times


def _structured(text: str) -> Any:
    """A stored text as the document that it is; as text where it is none."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return parse(text.encode())
    except ValueError:
        return text


async def _acts(ledger: Ledger, record: JobRecord) -> list[Mapping[str, Any]]:
    """What the audit log says was done to the job, oldest first, without the addresses of clients."""
    wanted = audit.AuditFilter(job=record.id, since_ms=record.created_at_ms)
    found: list[Mapping[str, Any]] = []
    page = await audit.page(ledger, wanted, limit=_MOST_ACTS)
    while True:
        found += page.entries
        if not page.next or len(found) >= _MOST_ACTS:
            break
        page = await audit.page(ledger, wanted, limit=_MOST_ACTS - len(found), before=page.next)
    return [{name: value for name, value in one.items() if value and name not in _LEFT_OUT} for one in found[::-1]]
