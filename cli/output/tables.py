"""Tables of jobs, and cards of names and values."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from cancellist.cli.output import wording
from cancellist.cli.terminal import cell, fitting, heading, say, show
from cancellist.jobs.escaping import plain
from cancellist.jobs.ledger import account_status
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.model import DONE, OUTCOME_MEANINGS, REFUSED
from cancellist.jobs.safety.environment import Environment

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "|", " ": "spaces"}

_COLUMNS = ("job", "state", "total", "done", "rate", "time left", "age", "outcomes")
_NUMBERS = frozenset({"total", "done", "rate", "time left", "age"})
_LEFT_OUT = ("rate", "age", "time left", "outcomes", "total", "done", "state")
"""Columns to leave out on a narrow terminal, the first one first."""
_LEAST_WRAPPED = 12
"""Least readable width of a wrapped text."""


def show_outcomes(snapshot: Snapshot) -> None:
    """Prints the outcomes of a job with their counts, to standard error."""
    table = heading("outcome", "references", "meaning", right=["references"], wrapped=["meaning"])
    for outcome, number in snapshot.outcomes.items():
        name = Text(outcome.value, style=wording.outcome_style(outcome))
        table.add_row(name, wording.count(number), Text(OUTCOME_MEANINGS.get(outcome, ""), style="dim"))
    show(table, err=True)
    if any(outcome not in DONE for outcome in snapshot.outcomes):
        wanted = " ".join(f"--outcome {outcome}" for outcome in snapshot.outcomes if outcome not in DONE)
        say(f"to see them: cancellist results {snapshot.record.id} {wanted}")


def show_plan(plan: dict[str, Any], platform: Environment) -> None:
    """Prints the result of a dry run."""
    several = len(plan["files"]) > 1
    rows = {
        **{one["file"] if several else "form": _form(one) for one in plan["files"]},
        "references": wording.count(plan["total"] - plan["invalid"]),
        "duplicates": f"{wording.count(plan['duplicates'])}, left out" if plan["duplicates"] else "0",
        "malformed": f"{wording.count(plan['invalid'])}, never sent" if plan["invalid"] else "0",
        "blank": f"{wording.count(plan['blank'])}, skipped" if plan["blank"] else "0",
        "calls": wording.count(plan["calls"]),
        "platform": _platform(plan["platform"], platform),
    }
    named = ("account", "priority", "reason", "requested_by", "deadline", "start_at", "idempotency_key")
    show_card({**rows, **{name.replace("_", " "): plan[name] for name in named}})
    say("nothing was handed in: this was a dry run")


def _platform(url: str, platform: Environment) -> Text:
    """Returns the platform by the settings at hand. A dry run asks no server, so it knows nothing of the workers'."""
    note = f": {url} by these settings; the settings of workers count"
    return Text(plain(platform.words), style=platform.style).append(plain(note), style="not bold default")


def _form(one: dict[str, Any]) -> str:
    """Returns how a file is read: form, encoding, delimiter and column."""
    from cancellist.jobs.parsing.documents import FORMS  # noqa: PLC0415 - of a dry run alone

    column = None
    if one["column"]:
        column = f"column '{one['column']}'"
    elif one["column_number"]:
        column = f"column {one['column_number']}"
    delimiter = f"separated by {_DELIMITERS.get(one['delimiter'], one['delimiter'])}" if one["delimiter"] else None
    parts = [FORMS[one["form"]], "gzip" if one["gzip"] else None, one["encoding"], delimiter, column]
    return ", ".join(filter(None, parts))


def show_jobs(snapshots: Sequence[Snapshot]) -> None:
    """Prints jobs, one a line. On a narrow terminal columns are left out; ids are never cut."""
    rows = [_row(snapshot) for snapshot in snapshots]
    kept = fitting(_COLUMNS, rows, _LEFT_OUT, {"outcomes": _LEAST_WRAPPED})
    names = [_COLUMNS[place] for place in kept]
    table = heading(*names, right=_NUMBERS, wrapped=["outcomes"])
    for row in rows:
        table.add_row(*(row[place] for place in kept))
    show(table, least=max(snapshot_id.cell_len for snapshot_id, *_ in rows))
    gates = {one.record.order.account: one.gate for one in snapshots if not one.record.state.ended}
    if stopped := next((gate.stopped for gate in gates.values() if gate.stopped), None):
        say(f"all accounts are stopped {wording.all_stopped(stopped)}")
        return
    for account, gate in gates.items():
        if why := wording.stopped_why(account, gate):
            say(f"account {account} is {account_status.state(gate)}: {why}")


def _row(snapshot: Snapshot) -> tuple[Text, ...]:
    record = snapshot.record
    return (
        Text(record.id, style="bold"),
        _state(snapshot),
        Text(wording.count(record.total)),
        Text(wording.percent(record.settled, record.total)),
        Text(wording.rate(snapshot)),
        Text(wording.time_left(snapshot).removesuffix(" left")),
        Text(wording.age(max(0, snapshot.now_ms - record.created_at_ms) / 1000)),
        _short(snapshot),
    )


def _state(snapshot: Snapshot) -> Text:
    """Returns the state of a job, and that of its account if the account is stopped."""
    state, account = snapshot.record.state, account_status.state(snapshot.gate)
    stopped = "" if state.ended or account == account_status.RUNNING else f", account {account}"
    return Text(f"{state.value}{stopped}", style=wording.state_style(state))


def _short(snapshot: Snapshot) -> Text:
    """Returns the counts of outcomes in three groups (done, refused, not done), and of references at risk."""
    groups = {"done": 0, "refused": 0, "not done": 0}
    for outcome, number in snapshot.outcomes.items():
        groups["done" if outcome in DONE else "refused" if outcome in REFUSED else "not done"] += number
    styles = {"done": "green", "refused": "yellow", "not done": "red"}
    parts = [Text(f"{number:,} {name}", style=styles[name]) for name, number in groups.items() if number]
    if lacking := wording.lacking_approval(snapshot):
        parts.append(Text(lacking, style="yellow"))
    if late := wording.at_risk(snapshot):
        parts.append(Text(late, style="yellow"))
    return Text(" · ").join(parts)


def show_card(rows: Mapping[str, object]) -> None:
    """Prints names and values, except those that are None."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        if value is not None:
            grid.add_row(name, value if isinstance(value, Text) else cell(value))
    show(grid)
