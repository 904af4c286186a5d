"""What `cancellist accounts` does."""

from typing import TYPE_CHECKING

from cancellist.cli import session
from cancellist.cli.output import environment, wording
from cancellist.cli.terminal import cell, emit, fitting, heading, show
from cancellist.config.loading import load
from cancellist.config.settings import AccountSettings, Settings
from cancellist.jobs.ledger import account_status
from cancellist.jobs.ledger.account_status import RUNNING, AccountStatus, Configured
from cancellist.jobs.ledger.views.json_views import account_view

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {RUNNING: "green"}
_WHY = ""
_NUMBERS = ("calls", "in flight", "references a call", "workers")
_COLUMNS = ("account", "state", "platform", "key", *_NUMBERS, _WHY)
_LEFT_OUT = ("references a call", "key", "calls", "platform", "in flight", "workers")
"""Columns to leave out on a narrow terminal, the first one first. The reason why an account is stopped always stays."""
_LEAST_WRAPPED = 40


def show_accounts(*, as_json: bool) -> None:
    """Prints the accounts."""
    found = session.run(_look())
    if as_json:
        emit({"accounts": [account_view(status) for status in found]})
        return
    rows = [_row(status) for status in found]
    kept = fitting(_COLUMNS, rows, _LEFT_OUT, {_WHY: _LEAST_WRAPPED})
    table = heading(*(_COLUMNS[place] for place in kept), right=_NUMBERS, wrapped=[_WHY])
    for row in rows:
        table.add_row(*(row[place] for place in kept))
    show(table)


async def _look() -> list[AccountStatus]:
    settings = load()
    async with session.ledger_of(settings) as opened:
        return await account_status.statuses(opened.ledger, configured(settings))


def configured(settings: Settings) -> dict[str, Configured]:
    """Returns the settings of each account, by name."""
    return {name: facts_of(settings.of(name)) for name in settings.account_names}


def facts_of(own: AccountSettings) -> Configured:
    """Returns what may be told of an account's settings."""
    return Configured(
        own.host, own.has_key, own.max_concurrent_calls, own.max_calls_per_second, own.burst,
        own.max_references_per_call, own.environment,
    )  # fmt: skip


def _row(status: AccountStatus) -> tuple["Text", ...]:
    own, gate, now = status.configured, status.gate, account_status.state(status.gate)
    called = gate.platforms or ((own.environment,) if own else ())
    return (
        cell(status.name, "bold"),
        cell(now, _STYLES.get(now, "yellow")),
        cell(environment.names(called) or "not in these settings", environment.style(called)),
        cell(("set" if own.has_key else "none") if own else ""),
        cell(_calls(own) if own else ""),
        cell(gate.calls_in_flight),
        cell(gate.list_size or (own.max_references_per_call if own else "")),
        cell(status.workers),
        cell(_held_back(status)),
    )


def _calls(own: Configured) -> str:
    rate = f", {own.max_calls_per_second:g}/s" if own.max_calls_per_second else ""
    return f"{own.max_concurrent_calls}{rate}"


def _held_back(status: AccountStatus) -> str:
    """Returns why the account is stopped or slowed; empty if it is not."""
    if stopped := wording.stopped_why(status.name, status.gate):
        return stopped
    if not status.served:
        return "no worker serves it"
    refused = status.gate.list_refused
    return f"{refused} references a call were refused (HTTP 413)" if refused else ""
