"""The report of a plan on a terminal."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cancellist.cli.output import tables, wording
from cancellist.cli.terminal import cell, fitting, heading
from cancellist.cli.terminal import show as draw
from cancellist.jobs.escaping import plain
from cancellist.jobs.safety.environment import Environment
from cancellist.jobs.safety.preflight_words import percent
from cancellist.jobs.safety.sampling import CONFIDENCE
from cancellist.jobs.times import parse_when_ms

_STYLES: Final = {
    "open": "green",
    "near_manifesting": "yellow",
    "already_cancelled": "yellow",
    "manifested": "red",
    "not_found": "red",
    "unknown": "magenta",
}
_COLUMNS: Final = ("reference", "state", "who gets it", "town", "what", "shipping date")
_LEFT_OUT: Final = ("shipping date", "town", "what", "who gets it")


def show(plan: Mapping[str, Any], where: Environment, command: str) -> None:
    """Prints a plan, and at the end the command that enqueues it."""
    tables.show_card(_head(plan, where))
    draw(Text(), _note(plan), Padding(_states(plan), (0, 0, 1, 0)))
    tables.show_card(_rest(plan))
    if plan["warnings"]:
        draw(Text(), _warnings(plan["warnings"]))
    if plan["sample"]:
        draw(Text(), Text(f"{len(plan['sample'])} examples, some of each kind", style="bold"), _examples(plan))
    draw(Text(), Text(f"it holds once, for these references, until {_clock(plan['expires_at'])}:"))
    sys.stdout.write(f"  {plain(command)}\n")
    sys.stdout.flush()


def _head(plan: Mapping[str, Any], where: Environment) -> dict[str, object]:
    counts = plan["counts"]
    left_out = [
        f"{wording.count(counts[name])} {what}"
        for name, what in (("duplicates", "named again"), ("invalid", "malformed, never sent"), ("blank", "blank"))
        if counts[name]
    ]
    number = wording.count(counts["references"])
    return {
        "platform": Text(plain(where.words), style=where.style),
        "account": Text(plain(plan["account"]), style="bold"),
        "references": f"{number} ({', '.join(left_out)})" if left_out else number,
    }


def _note(plan: Mapping[str, Any]) -> Text:
    counts = plan["counts"]
    read = wording.count(counts["read"])
    if not plan["sampled"]:
        return Text(f"the states of all {read} were read", style="dim")
    return Text(
        f"the states of {read} were read, drawn at random; each share is told with the\n"
        f"interval in which it lies with a confidence of {CONFIDENCE} %",
        style="dim",
    )


def _states(plan: Mapping[str, Any]) -> Table:
    names = ["state", "references", "share", *(["between", "share between"] if plan["sampled"] else [])]
    table = heading(*names, right=names[1:])
    for name, one in sorted(plan["of_all"].items(), key=lambda pair: list(_STYLES).index(pair[0])):
        if not one["count"] and not one["most"] and name != "open":
            continue
        words = name.replace("_", " ")
        row = [
            cell(f"  of them {words}" if name == "near_manifesting" else words, _STYLES[name]),
            cell(f"{'about ' if plan['sampled'] else ''}{wording.count(one['count'])}"),
            cell(percent(one["share"])),
        ]
        if plan["sampled"]:
            row.append(cell(f"{wording.count(one['least'])} and {wording.count(one['most'])}"))
            row.append(cell(f"{percent(one['share_least'])} and {percent(one['share_most'])}"))
        table.add_row(*row)
    return table


def _rest(plan: Mapping[str, Any]) -> dict[str, object]:
    time, overlap = plan["time"], plan["overlap"]
    met = {True: Text("it will be met", style="green"), False: Text("it will most likely be missed", style="red")}
    took = "not known" if time["seconds"] is None else f"about {wording.span(int(time['seconds']) + 1)}"
    compared = "" if overlap["compared"] == plan["counts"]["references"] else f" of {overlap['compared']:,} compared"
    return {
        "in other jobs": f"{wording.count(overlap['references'])}{compared}, of the last 7 days",
        "all that is open": _of_open(plan["open_consignments"]),
        "it will take": f"{took}, estimated by {time['by']}"
        if time["seconds"] is not None
        else f"{took}: {time['by']}",
        "deadline": time["deadline"]
        and Text.assemble(f"{_clock(time['deadline'])}, ", met.get(time["deadline_met"], Text("nobody can say"))),
    }


def _of_open(found: Mapping[str, Any]) -> str:
    if found["count"] is None:
        return f"not known: {plain(found['unknown_because'] or '')}"
    if found["share"] is None:
        return f"{wording.count(found['count'])} consignments of the account"
    return f"{percent(found['share'])} of {wording.count(found['count'])} open consignments of the account"


def _warnings(warnings: Sequence[str]) -> Table:
    table = Table.grid(padding=(0, 1))
    for words in warnings:
        table.add_row(Text("!", style="bold yellow"), cell(words))
    return table


def _examples(plan: Mapping[str, Any]) -> Table:
    rows = [
        (
            cell(one["reference"], "bold"),
            cell(one["state"] or one["standing"].replace("_", " "), _STYLES[one["standing"]]),
            cell(one["name"] or ""),
            cell(one["town"] or ""),
            cell(one.get("goods") or ""),  # plans of former versions have none
            cell((one["shipping_date"] or "")[:16].replace("T", " ")),
        )
        for one in plan["sample"]
    ]
    kept = fitting(_COLUMNS, rows, _LEFT_OUT, {"who gets it": 12, "town": 8, "what": 8})
    table = heading(*(_COLUMNS[place] for place in kept), wrapped=["who gets it", "town", "what"])
    for row in rows:
        table.add_row(*(row[place] for place in kept))
    return table


def _clock(text: str) -> str:
    return wording.clock(parse_when_ms(text, now_ms=0))
