"""Texts for numbers, times, jobs and accounts."""

from collections.abc import Mapping
from datetime import datetime

from cancellist.jobs.diagnostics.advice import resume_command
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.ledger.stop_all import AllStopped
from cancellist.jobs.model import DONE, REFUSED, JobRecord, JobState, Outcome
from cancellist.jobs.safety.approval import Approval, ApprovalState, approval_of
from cancellist.jobs.safety.failure_stop import HaltCause, halt_of
from cancellist.jobs.safety.guard import in_words, unpack_findings
from cancellist.jobs.times import rfc3339

RESUME_ALL = "cancellist resume --all"
START_A_WORKER = "no worker is running: start one with `cancellist worker`"

_TWO_DIGITS = 10
_UNITS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
_STATE_STYLES = {
    JobState.QUEUED: "cyan",
    JobState.RUNNING: "cyan",
    JobState.COMPLETED: "green",
    JobState.ABORTED: "red",
    JobState.HALTED: "red",
}


def count(number: int) -> str:
    """Returns a number with thousands separators."""
    return f"{number:,}"


def references(number: int) -> str:
    """Returns such as `1,200 references`."""
    return f"{number:,} reference" if number == 1 else f"{number:,} references"


def span(seconds: float) -> str:
    """Returns a time span in its two largest units, such as `2 h 5 min`."""
    for size, name, smaller, its_name in _UNITS:
        if seconds >= size:
            rest = int(seconds % size // smaller)
            return f"{int(seconds // size)} {name}" + (f" {rest} {its_name}" if rest else "")
    return f"{seconds:.0f} s" if isinstance(seconds, int) or seconds >= _TWO_DIGITS else f"{seconds:.1f} s"


def age(seconds: float) -> str:
    """Returns a time span in its largest unit, such as `2 h`."""
    return " ".join(span(int(seconds)).split(" ")[:2])


def clock(at_ms: int) -> str:
    """Returns a time in the local time zone; in UTC if the local calendar cannot express it."""
    at = _local(at_ms)
    return f"{at.isoformat(' ', 'seconds')[:19]} {at:%z}" if at else str(rfc3339(at_ms))


def _local(at_ms: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(at_ms / 1000).astimezone()
    except (ValueError, OverflowError, OSError):  # before the year 1 or after 9999
        return None


def calls(gate: AccountGate) -> str:
    """Returns the calls in flight over all workers, in words."""
    return f"{gate.calls_in_flight} {'call' if gate.calls_in_flight == 1 else 'calls'} in flight"


def workers(gate: AccountGate) -> str:
    """Returns the number of running workers in words, or what to do if there is none."""
    if gate.workers == 0:
        return START_A_WORKER
    return f"{gate.workers} {'worker' if gate.workers == 1 else 'workers'}"


def percent(part: int, whole: int) -> str:
    """Returns a percentage, rounded down: 100 % means that nothing is left."""
    return f"{100 * part // whole if whole else 100} %"


def rate(snapshot: Snapshot) -> str:
    """Returns the rate in references a second; empty if it is unknown."""
    value = snapshot.estimate.rate
    return "" if value is None else f"{value:,.0f}/s" if value >= _TWO_DIGITS else f"{value:.1f}/s"


def time_left(snapshot: Snapshot) -> str:
    """Returns the time until the last result; empty if it is unknown."""
    eta_s = snapshot.estimate.eta_s
    return "" if snapshot.record.state.ended or eta_s is None else f"{span(eta_s)} left"


def at_risk(snapshot: Snapshot) -> str:
    """Returns how many references will miss the deadline, such as `at risk: about 1,200 of 5,000 by 18:00`."""
    number, deadline_ms = snapshot.estimate.at_risk, snapshot.record.order.deadline_ms
    if not number or deadline_ms is None:
        return ""
    rounded = round(number, min(0, 2 - len(str(number))))
    about = "" if rounded == snapshot.record.pending else "about "
    return f"at risk: {about}{count(rounded)} of {count(snapshot.record.total)} by {_by(deadline_ms, snapshot.now_ms)}"


def _by(at_ms: int, now_ms: int) -> str:
    """Returns a time in the local time zone, with its date unless that is today."""
    at, now = _local(at_ms), _local(now_ms)
    if at is None or now is None:
        return clock(at_ms)
    return at.strftime("%H:%M" if at.date() == now.date() else "%Y-%m-%d %H:%M")


def outcome_style(outcome: Outcome) -> str:
    """Returns its colour."""
    return "green" if outcome in DONE else "yellow" if outcome in REFUSED else "red"


def state_style(state: JobState) -> str:
    """Returns its colour."""
    return _STATE_STYLES.get(state, "yellow")


def outcome(name: Outcome, number: int) -> str:
    """Returns such as `24,000 cancelled`."""
    return f"{number:,} {name.replace('_', ' ')}"


def outcomes(counts: Mapping[Outcome, int]) -> list[str]:
    """Returns the text of each outcome that occurred."""
    return [outcome(name, number) for name, number in counts.items() if number]


def job_state(snapshot: Snapshot) -> str:
    """Returns the state of a job, and what keeps it from running."""
    stopped = None if snapshot.record.state.ended else snapshot.gate.stopped
    return _state(snapshot) + (f"; all accounts are stopped {stop(stopped)}" if stopped else "")


def _state(snapshot: Snapshot) -> str:
    record = snapshot.record
    if stopped := _for_approval(snapshot) or _for_itself(snapshot):
        return stopped
    if not record.state.ended and (
        why := _for_its_host(snapshot) or _for_its_account(snapshot.gate) or for_its_records(snapshot)
    ):
        return f"{record.state}, {why}"
    if record.canary and record.canary.under_way and record.state is JobState.RUNNING:
        return f"running its canary of {record.canary.size:,} first, for which {record.canary.waiting:,} wait"
    return str(record.state)


def _for_approval(snapshot: Snapshot) -> str:
    record, approval = snapshot.record, approval_of(snapshot.record)
    if approval is None:
        return ""
    if approval.state is ApprovalState.WAITING:
        return f"{record.state}, {_lacking(approval)}, until {clock(approval.lapses_at_ms or 0)}"
    if approval.state is ApprovalState.REJECTED and approval.rejection:
        return f"{record.state}, rejected by {plain(approval.rejection.by)}: {plain(approval.rejection.reason)}"
    if approval.state is ApprovalState.LAPSED and record.state is JobState.ABORTED:
        return f"{record.state}, not approved in time"
    return ""


def _for_itself(snapshot: Snapshot) -> str:
    record = snapshot.record
    if record.state is JobState.HELD and record.starts_at_ms:
        left = span(max(0, record.starts_at_ms - snapshot.now_ms) // 1000)
        return f"held until {clock(record.starts_at_ms)}, for {left} more"
    halt = halt_of(record)
    return f"halted: {halt.words}" if halt else ""


def _for_its_host(snapshot: Snapshot) -> str:
    strange = snapshot.gate.strange_host
    return new_host(snapshot.record.order.account, strange) if strange else ""


def for_its_records(snapshot: Snapshot) -> str:
    """Returns that no worker can keep the records that a job wants; empty where it is not so."""
    waits = "waits for a worker with CANCELLIST_SNAPSHOT_DIR: no other can keep its records"
    return waits if snapshot.lacks_records else ""


def _for_its_account(gate: AccountGate) -> str:
    if gate.paused:
        return "its account is paused"
    if gate.breaker:
        return f"its account is tripped: {plain(gate.breaker.why)}; next probe at {clock(gate.breaker.next_probe_ms)}"
    if gate.hold_until_ms:
        return f"its account holds until {clock(gate.hold_until_ms)}: {plain(gate.hold_why)}"
    return ""


def waits_for_approval(snapshot: Snapshot) -> str:
    """Returns what a job waits for that must be approved, and why; empty where it waits for nobody."""
    approval = approval_of(snapshot.record)
    if approval is None or approval.state is not ApprovalState.WAITING:
        return ""
    job = snapshot.record.id
    return (
        f"job {job} {_lacking(approval)}, until {clock(approval.lapses_at_ms or 0)}: {in_words(approval.why)}; "
        f"`cancellist approve {job}` shows what it would do and asks, `cancellist reject {job} --reason WHY` aborts it"
    )


def waits_for_its_time(snapshot: Snapshot) -> str:
    """Returns until when a job is held, and what can be done; empty where it is not held."""
    record = snapshot.record
    if record.state is not JobState.HELD or not record.starts_at_ms:
        return ""
    return (
        f"job {record.id} is {_for_itself(snapshot)}, and then starts by itself; "
        f"until then `cancellist abort {record.id}` takes it back whole"
    )


def lacking_approval(snapshot: Snapshot) -> str:
    """Returns by how many a job waits for approval; empty where it waits for nobody."""
    approval = approval_of(snapshot.record)
    return _lacking(approval) if approval and approval.state is ApprovalState.WAITING else ""


def overridden(snapshot: Snapshot) -> str | None:
    """Returns who passed the guards of a job, why, and what they were; None where nobody did."""
    order, passed = snapshot.record.order, in_words(unpack_findings(snapshot.record.overrode))
    if order.overridden_by is None:
        return None
    return f"{order.overridden_by}: {order.override_reason}" + (f" ({passed})" if passed else "")


def approval_why(snapshot: Snapshot) -> str | None:
    """Returns what a job passes of its guards, for which it must be approved; None where it must not."""
    approval = approval_of(snapshot.record)
    return in_words(approval.why) if approval else None


def approved_by(snapshot: Snapshot) -> str | None:
    """Returns who approved a job; None where nobody did."""
    approval = approval_of(snapshot.record)
    return ", ".join(f"{one.by} at {clock(one.at_ms)}" for one in approval.given) or None if approval else None


def _lacking(approval: Approval) -> str:
    given = ", ".join(plain(one.by) for one in approval.given)
    have = f" ({given} approved)" if given else ""
    return f"waits for approval, {len(approval.given)} of {approval.wanted} given{have}"


def new_host(account: str, host: str) -> str:
    """Returns that nobody has confirmed the host of an account, and what does."""
    return (
        f"PRODUCTION host {plain(host)} was never called before: `{resume_command(account)} --host {plain(host)}` "
        "confirms it"
    )


def stop(stopped: AllStopped) -> str:
    """Returns since when all accounts are stopped, by whom and why."""
    why = f": {plain(stopped.why)}" if stopped.why else ", who gave no reason"
    return f"since {clock(stopped.since_ms)} by {plain(stopped.by)}{why}"


def all_stopped(stopped: AllStopped) -> str:
    """Returns the same, and what lets them go on."""
    return f"{stop(stopped)}; `{RESUME_ALL}` lets them go on"


def halted(record: JobRecord) -> str:
    """Returns why a job is halted, and what to do; empty where it is not."""
    halt = halt_of(record)
    if halt is None:
        return ""
    if halt.cause is HaltCause.HOST:
        return (
            f"job {record.id} is halted: {halt.words}. Then `cancellist continue {record.id}` goes on, "
            f"and `cancellist abort {record.id}` ends it"
        )
    return (
        f"job {record.id} is halted: {halt.words}. See why with `cancellist results {record.id}`; then "
        f"`cancellist continue {record.id}` goes on, and `cancellist abort {record.id}` ends it"
    )


def took(snapshot: Snapshot) -> str:
    """Returns how long an ended job took, and its rate."""
    record = snapshot.record
    begun_ms = record.started_at_ms or record.created_at_ms
    pace = f", {rate(snapshot)}" if snapshot.estimate.rate else ""
    return f"in {span(max(0, (record.finished_at_ms or snapshot.now_ms) - begun_ms) / 1000)}{pace}"


def line(snapshot: Snapshot) -> str:
    """Returns a job's progress in one line, for output that is not a terminal."""
    record = snapshot.record
    if record.state.ended:
        return f"{record.id} {record.state} {took(snapshot)}: {', '.join(outcomes(snapshot.outcomes)) or 'nothing'}"
    done = f"{count(record.settled)} of {count(record.total)} ({percent(record.settled, record.total)})"
    going = [done, rate(snapshot), time_left(snapshot), at_risk(snapshot)]
    parts = [*going, calls(snapshot.gate), *outcomes(snapshot.outcomes)]
    idle = f"; {START_A_WORKER}" if snapshot.gate.workers == 0 else ""
    return f"{record.id} {job_state(snapshot)}: {', '.join(filter(None, parts))}{idle}"


def stopped_why(account: str, gate: AccountGate) -> str:
    """Returns why an account is stopped; empty if it is running."""
    if gate.stopped:
        return f"{all_stopped(gate.stopped)}{', and this account is paused on its own' if gate.paused else ''}"
    if gate.strange_host:
        return new_host(account, gate.strange_host)
    if gate.paused:
        return f"`{resume_command(account)}` resumes it"
    if gate.breaker:
        return f"{gate.breaker.why}; next probe at {clock(gate.breaker.next_probe_ms)}"
    return f"until {clock(gate.hold_until_ms)}: {gate.hold_why}" if gate.hold_until_ms else ""
