"""What a job that waits for approval would do, in words: who approves it reads this first, whichever way they come."""

from collections.abc import Callable, Iterator, Sequence

from cancellist.jobs.model import JobRecord
from cancellist.jobs.safety.approval import Approval
from cancellist.jobs.safety.environment import Environment, environment_of
from cancellist.jobs.safety.guard import in_words, unpack_findings


def hosts_of(record: JobRecord, called: Sequence[Environment]) -> tuple[Environment, ...]:
    """Where a job would be called: at its own host where it is bound to one, else wherever its workers call."""
    return (environment_of(record.order.host),) if record.order.host else tuple(called)


def effect(
    record: JobRecord,
    approval: Approval,
    examples: Sequence[str],
    hosts: Sequence[Environment],
    clock: Callable[[int], str | None],
) -> Iterator[str]:
    """What a job would do, in words, a line each.

    Args:
        record: the job.
        approval: what it waits for.
        examples: some of its references.
        hosts: where it would be called; empty where no worker has run yet.
        clock: writes a time.
    """
    order = record.order
    where = " and ".join(one.words for one in hosts) or "a host that is unknown until a worker has run"
    number = f"{approval.count:,} reference{'' if approval.count == 1 else 's'}"
    yield f"job {record.id} would cancel {number} on {where}, account {order.account}"
    if examples:
        more = ", ..." if approval.count > len(examples) else ""
        yield f"  such as: {', '.join(examples)}{more}"
    yield f"  why it needs approval: {in_words(approval.why)}"
    yield f"  reason: {order.reason or 'none was given'}"
    yield f"  asked for by: {order.requested_by or 'nobody is named'}"
    yield f"  handed in by: {order.submitted_by or 'nobody that is known'}, {clock(record.created_at_ms)}"
    if order.deadline_ms:
        yield f"  deadline: {clock(order.deadline_ms)}"
    if order.override_reason:
        passed = in_words(unpack_findings(record.overrode))
        yield f"  guards passed by {order.overridden_by}: {order.override_reason}" + (f" ({passed})" if passed else "")
    if approval.given:
        given = ", ".join(f"{one.by} at {clock(one.at_ms)}" for one in approval.given)
        yield f"  approved by: {given}"
    yield "  a cancellation cannot be undone"
