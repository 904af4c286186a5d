"""What `cancellist consumers` does."""

import shlex
from typing import TYPE_CHECKING

from cancellist.cli import session
from cancellist.cli.actions.confirmation import agreed
from cancellist.cli.error_report import DeclinedError
from cancellist.cli.output import wording
from cancellist.cli.terminal import cell, emit, fitting, heading, say, show
from cancellist.config.loading import load
from cancellist.jobs.errors import InputError
from cancellist.jobs.ledger import consumers
from cancellist.jobs.ledger.consumers import LONG_MS, ConsumerGroupStatus
from cancellist.jobs.ledger.views.json_views import group_view

if TYPE_CHECKING:
    from rich.text import Text

_NUMBERS = ("unread", "pending")
_COLUMNS = ("group", *_NUMBERS, "oldest pending", "readers", "last asked", "last delivered", "trimming")
_LEFT_OUT = ("last delivered", "last asked", "readers", "oldest pending")


def show_groups(*, as_json: bool) -> None:
    """Prints the groups, and how to remove one that has held results up for long."""
    found = session.run(_look())
    if as_json:
        emit({"groups": [group_view(group) for group in found]})
    elif found:
        rows = [_row(group) for group in found]
        kept = fitting(_COLUMNS, rows, _LEFT_OUT, {})
        table = heading(*(_COLUMNS[place] for place in kept), right=_NUMBERS)
        for row in rows:
            table.add_row(*(row[place] for place in kept))
        show(table)
    else:
        say("no consumer group reads the results")
    for group in found:
        if group.held_up_ms >= LONG_MS:
            say(
                f"{group.name} has kept results from being trimmed for {wording.span(group.held_up_ms // 1000)}: if "
                f"nobody reads for it any more, `cancellist consumers remove {shlex.quote(group.name)}`"
            )


def remove_group(name: str, *, sure: bool, as_json: bool) -> None:
    """Removes a group, after the user has confirmed it.

    Raises:
        InputError: there is none of that name.
        DeclinedError: the user did not confirm.
    """
    group = next((one for one in session.run(_look()) if one.name == name), None)
    if group is None:
        raise InputError(f"no consumer group {name!r} reads the results", hint="`cancellist consumers` lists them")
    unread = "an unknown number of results" if group.lag is None else f"{wording.count(group.lag)} results"
    if not sure and not agreed(f"Remove the group {name}, with {unread} unread and {group.pending:,} pending?"):
        raise DeclinedError(f"nothing was removed: the group {name} is as before")
    removed = session.run(_remove(name))
    if as_json:
        emit({"group": name, "removed": removed})
    else:
        say(f"the group {name} is removed" if removed else f"the group {name} was gone already")


async def _look() -> list[ConsumerGroupStatus]:
    settings = load()
    async with session.ledger_of(settings) as opened:
        return await consumers.groups(opened.ledger, settings.results_keep)


async def _remove(name: str) -> bool:
    async with session.ledger_of(load()) as opened:
        return await consumers.remove(opened.ledger, name)


def _row(group: ConsumerGroupStatus) -> tuple["Text", ...]:
    pending_ms, idle_ms = group.oldest_pending_ms, min((one.idle_ms for one in group.consumers), default=None)
    return (
        cell(group.name, "bold"),
        cell("unknown" if group.lag is None else wording.count(group.lag)),
        cell(wording.count(group.pending)),
        cell("" if pending_ms is None else wording.age(max(0, group.now_ms - pending_ms) / 1000)),
        cell(len(group.consumers)),
        cell("" if idle_ms is None else f"{wording.age(idle_ms / 1000)} ago"),
        cell(group.last_delivered),
        cell("held up" if group.holds_up else "", "yellow"),
    )
