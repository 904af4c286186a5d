"""What `cancellist audit` does."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cancellist.cli import session
from cancellist.cli.output import wording
from cancellist.cli.terminal import cell, emit, fitting, heading, say, show
from cancellist.config.loading import load
from cancellist.jobs.ledger import audit
from cancellist.jobs.ledger.audit import AuditFilter
from cancellist.jobs.times import parse_since_ms

if TYPE_CHECKING:
    from rich.text import Text

_COLUMNS = ("at", "what", "job", "account", "who", "from", "result", "about")
_LEFT_OUT = ("account", "from", "about")
_LEAST_WRAPPED = 24
_Entry = Mapping[str, Any]


def show_acts(job: str | None, account: str | None, since: str | None, limit: int, *, as_json: bool) -> None:
    """Prints entries of the audit log, newest first."""
    since_ms = parse_since_ms(since, now_ms=time.time_ns() // 1_000_000) if since else None
    found, more = session.run(_read(AuditFilter(job, account, since_ms), limit))
    if as_json:
        emit({"entries": found, "next": more or None})
    elif found:
        _draw(found)
    else:
        say("the audit log has no such entry")
    if more:
        say(f"only the newest {wording.count(limit)} are listed: --limit lists more")


async def _read(wanted: AuditFilter, limit: int) -> tuple[list[_Entry], str]:
    async with session.ledger_of(load()) as opened:
        found: list[_Entry] = []
        page = await audit.page(opened.ledger, wanted, limit=limit)
        while True:
            found += page.entries
            if not page.next or len(found) >= limit:
                return found, page.next
            page = await audit.page(opened.ledger, wanted, limit=limit - len(found), before=page.next)


def _draw(found: list[_Entry]) -> None:
    rows = [_row(one) for one in found]
    kept = fitting(_COLUMNS, rows, _LEFT_OUT, {"about": _LEAST_WRAPPED})
    table = heading(*(_COLUMNS[place] for place in kept), wrapped=["about"])
    for row in rows:
        table.add_row(*(row[place] for place in kept))
    show(table)


def _row(one: _Entry) -> tuple["Text", ...]:
    who = one["who"] or ""
    return (
        cell(str(one["at"])[:19].replace("T", " ")),
        cell(one["what"] or "", "bold"),
        cell(one["job"] or ""),
        cell(one["account"] or ""),
        cell(f"{who} ({one['token']})" if one["token"] else who),
        cell(" ".join(word for word in (one["via"], one["where"]) if word)),
        cell(one["result"] if one["code"] is None else f"{one['result']}: {one['code']}"),
        cell(one["about"] or ""),
    )
