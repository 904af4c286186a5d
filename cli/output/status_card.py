"""All that is known of a job, as a card: drawn by rich for people, written as it is for pipes."""

from collections.abc import Mapping
from typing import NamedTuple

from cancellist.cli.output import wording
from cancellist.cli.terminal import is_plain, show_plain
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger.snapshots import Snapshot


class _Styled(NamedTuple):
    """A value that has a colour, and is printable already."""

    text: str
    style: str


def show(snapshot: Snapshot) -> None:
    """Shows all that is known of a job."""
    rows = _rows(snapshot)
    if is_plain():
        show_plain({name: row.text if isinstance(row, _Styled) else plain(row) for name, row in rows.items()})
        return
    from rich.text import Text  # noqa: PLC0415 - slow to import, and a pipe needs none of it

    from cancellist.cli.output.tables import show_card  # noqa: PLC0415 - as above

    show_card(
        {name: Text(row.text, style=row.style) if isinstance(row, _Styled) else row for name, row in rows.items()}
    )


def _rows(snapshot: Snapshot) -> Mapping[str, str | _Styled]:
    record, order, gate = snapshot.record, snapshot.record.order, snapshot.gate
    done = f"{wording.count(record.settled)} of {wording.count(record.total)}"
    progress = [
        done,
        f"({wording.percent(record.settled, record.total)})",
        wording.rate(snapshot),
        wording.time_left(snapshot),
    ]
    rows: dict[str, str | _Styled | None] = {
        "job": record.id,
        "state": _Styled(wording.job_state(snapshot), wording.state_style(record.state)),
        "done": " ".join(filter(None, progress)),
        "pending": wording.count(record.pending) if record.pending else None,
        "in flight": wording.count(record.in_flight) if record.in_flight else None,
    }
    for outcome, number in snapshot.outcomes.items():
        rows[outcome.value.replace("_", " ")] = _Styled(wording.count(number), wording.outcome_style(outcome))
    rows |= {
        "duplicates": f"{wording.count(record.duplicates)}, left out" if record.duplicates else None,
        "created": wording.clock(record.created_at_ms),
        "started": wording.clock(record.started_at_ms) if record.started_at_ms else None,
        "finished": f"{wording.clock(record.finished_at_ms)}, {wording.took(snapshot)}"
        if record.finished_at_ms
        else None,
        "start at": wording.clock(order.start_at_ms) if order.start_at_ms else None,
        "deadline": wording.clock(order.deadline_ms) if order.deadline_ms else None,
        "at risk": _Styled(late.partition(": ")[2], "yellow") if (late := wording.at_risk(snapshot)) else None,
        "priority": order.priority,
        "reason": order.reason,
        "requested by": order.requested_by,
        "handed in by": order.submitted_by,
        "must be approved": wording.approval_why(snapshot),
        "approved by": wording.approved_by(snapshot),
        "guards passed by": wording.overridden(snapshot),
        "account": f"{order.account}: {wording.calls(gate)}, {wording.workers(gate)}",
    }
    return {name: value for name, value in rows.items() if value is not None}
