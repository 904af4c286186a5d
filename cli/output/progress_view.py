"""Shows progress: bars on a terminal, else a line every few seconds."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from rich.console import Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cancellist.cli.output import wording
from cancellist.cli.session import patiently
from cancellist.cli.standard_streams import check_reader
from cancellist.cli.terminal import console, is_terminal
from cancellist.jobs.ledger import snapshots
from cancellist.jobs.ledger.opening import Opened
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.model import JobRecord, JobState

LOOK_EVERY_S = 0.2
LINE_EVERY_S = 5.0
_REST = 4
"""The pause before the next look at all jobs, in times the last look took, so that the server is not kept busy."""
_ID, _PERCENT, _RATE, _LEFT, _GAP = 12, 5, 9, 15, 2
"""Widths of the parts of a job's line, and of the gap between them."""
_PARTS: dict[str, JustifyMethod] = {"percent": "right", "done": "left", "rate": "right", "left": "left"}
"""The parts of a job's line in order, and their alignment."""
_LINES_OF_ONE, _LINES_OF_ALL = 2, 4
_LEAST_BAR, _MOST_BAR = 8, 60


class View(Protocol):
    """Shows progress."""

    def show(self, seen: Sequence[Snapshot]) -> None:
        """Shows jobs as they are now."""

    def ended(self, seen: Snapshot) -> None:
        """Shows that a job has ended."""


class Drawn:
    """A live view that is redrawn each time."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, seen: Sequence[Snapshot]) -> None:
        """Shows jobs as they are now."""
        screen = self._live.console
        self._live.update(draw(seen, screen.width, screen.height), refresh=True)

    def ended(self, seen: Snapshot) -> None:
        """Prints a line about the job above the live view."""
        self._live.console.print(Text(wording.line(seen)))


class JobLines:
    """Writes a line for each job every few seconds, and when it ends."""

    def __init__(self, write: Callable[[str], None], look: Callable[[], None]) -> None:
        self._write = write
        self._look = look
        self._next_at = 0.0
        self._ended: set[str] = set()

    def show(self, seen: Sequence[Snapshot]) -> None:
        """Writes a line for each job that is due or has ended."""
        self._look()
        due = time.monotonic() >= self._next_at
        if due:
            self._next_at = time.monotonic() + LINE_EVERY_S
        for snapshot in seen:
            if snapshot.record.state.ended:
                self.ended(snapshot)
            elif due:
                self._write(wording.line(snapshot))

    def ended(self, seen: Snapshot) -> None:
        """Writes the last state of a job, once."""
        if seen.record.id not in self._ended:
            self._ended.add(seen.record.id)
            self._write(wording.line(seen))


@contextmanager
def view(*, err: bool) -> Iterator[View]:
    """Opens the view for standard output, or standard error: live on a terminal, else lines."""
    screen = console(err=err)
    if not is_terminal(err=err) or screen.is_dumb_terminal:
        yield JobLines(lambda text: screen.print(Text(text)), (lambda: None) if err else check_reader)
        return
    with Live(console=screen, auto_refresh=False, redirect_stdout=False) as live:
        yield Drawn(live)


def draw(seen: Sequence[Snapshot], width: int, height: int) -> RenderableType:
    """Draws a bar and a line of details for each job, running jobs first, and a footer for all."""
    parts: list[RenderableType] = []
    most = max(1, (height - _LINES_OF_ALL) // _LINES_OF_ONE)
    for snapshot in sorted(seen, key=lambda one: one.record.state is not JobState.RUNNING)[:most]:
        parts += [_bar(snapshot, width), _detail(snapshot)]
    if len(seen) > most:
        parts.append(Text(f"  and {wording.count(len(seen) - most)} more", style="dim"))
    return Group(*parts, _footer(seen)) if seen else Group(*parts)


def _bar(snapshot: Snapshot, width: int) -> RenderableType:
    record = snapshot.record
    done = f"{wording.count(record.settled)} of {wording.count(record.total)}"
    left = wording.took(snapshot).partition(",")[0] if record.state.ended else wording.time_left(snapshot)
    parts = {
        "left": (left, _LEFT),
        "rate": (wording.rate(snapshot), _RATE),
        "done": (done, 2 * len(wording.count(record.total)) + 4),
        "percent": (wording.percent(record.settled, record.total), _PERCENT),
    }
    while parts and _taken(parts) + _LEAST_BAR > width:
        del parts[next(iter(parts))]  # a narrow terminal shows fewer parts; the id is never cut
    bar = max(_LEAST_BAR, min(_MOST_BAR, width - _taken(parts)))
    shown: list[tuple[RenderableType, int, JustifyMethod]] = [
        (Text(record.id, style="bold"), _ID, "left"),
        (_progress(record, bar), bar, "left"),
    ]
    shown += [(*parts[name], justify) for name, justify in _PARTS.items() if name in parts]
    grid = Table.grid(padding=(0, _GAP))
    for _, least, justify in shown:
        grid.add_column(min_width=least, justify=justify, no_wrap=True)
    grid.add_row(*(part for part, _, _ in shown))
    return grid


def _taken(parts: Mapping[str, tuple[str, int]]) -> int:
    """Returns the width of a job's line without its bar."""
    return _ID + _GAP + sum(least + _GAP for _, least in parts.values())


def _progress(record: JobRecord, width: int) -> ProgressBar:
    return ProgressBar(total=max(1, record.total), completed=record.settled, width=width)


def _detail(snapshot: Snapshot) -> Text:
    text = Text("  ").append(wording.job_state(snapshot), style=wording.state_style(snapshot.record.state))
    if late := wording.at_risk(snapshot):
        text.append(" · ").append(late, style="yellow")
    for outcome, number in snapshot.outcomes.items():
        text.append(" · ").append(wording.outcome(outcome, number), style=wording.outcome_style(outcome))
    return text


def _footer(seen: Sequence[Snapshot]) -> Text:
    if all(snapshot.record.state.ended for snapshot in seen):
        return Text("")
    gates = {snapshot.record.order.account: snapshot.gate for snapshot in seen}
    text = Text("  ")
    for account, gate in gates.items():
        name = f"{account}: " if len(gates) > 1 else ""
        style = "dim" if gate.workers else "yellow"
        text.append(f"{name}{wording.calls(gate)} · {wording.workers(gate)}", style=style)
    return text


async def follow(opened: Opened, job: str, view: View, *, halted: bool = False) -> Snapshot:
    """Shows a job until it has ended; returns its last snapshot. `halted` says to stop too where the job halts."""
    while True:
        seen = await patiently(opened, lambda: snapshots.look(opened.ledger, job))
        view.show([seen])
        if seen.record.state.ended or (halted and seen.record.state is JobState.HALTED):
            return seen
        await asyncio.sleep(LOOK_EVERY_S)


async def follow_all(opened: Opened, view: View) -> None:
    """Shows all unfinished jobs until none is left."""
    known: list[str] = []
    while True:
        began_at = time.monotonic()
        seen = await patiently(opened, lambda: snapshots.unfinished(opened.ledger))
        present = [snapshot.record.id for snapshot in seen]
        for job in known:
            if job not in present:
                view.ended(await patiently(opened, partial(snapshots.look, opened.ledger, job)))
        known = present
        view.show(seen)
        if not seen:
            return
        await asyncio.sleep(max(LOOK_EVERY_S, _REST * (time.monotonic() - began_at)))
