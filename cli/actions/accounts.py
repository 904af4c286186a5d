"""What `cancellist accounts` does; how an account's gate is told, here and wherever else it is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cancellist.cli import session
from cancellist.cli.actions.snapshots import breaker_document
from cancellist.cli.output import wording
from cancellist.cli.terminal import cell, emit, fitting, heading, show
from cancellist.config.account_settings import AccountSettings
from cancellist.config.settings import Settings, load
from cancellist.jobs.diagnostics.advice import resume_command
from cancellist.jobs.ledger import accounts as ledger_accounts
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.core import Ledger
from cancellist.jobs.times import rfc3339

if TYPE_CHECKING:
    from rich.text import Text

RUNNING = "running"
_STYLES = {RUNNING: "green"}
_WHY = ""
_NUMBERS = ("calls", "in flight", "references a call", "workers")
_COLUMNS = ("account", "state", "platform", "key", *_NUMBERS, _WHY)
_LEFT_OUT = ("references a call", "key", "calls", "platform", "in flight", "workers")
"""In this order, where there is no room: what keeps an account from going on comes first."""
_LEAST_WRAPPED = 40


@dataclass(frozen=True, slots=True)
class Standing:
    """An account now; `settings` are None where it is not configured here, `served` is whether a worker does."""

    name: str
    settings: AccountSettings | None
    gate: AccountGate
    served: bool

    @property
    def workers(self) -> int:
        """Live workers, where one serves this account."""
        return self.gate.workers if self.served else 0


def accounts(*, as_json: bool) -> None:
    """Lists the accounts."""
    found = session.run(_look())
    if as_json:
        emit({"accounts": [document(standing) for standing in found]})
        return
    rows = [_row(standing) for standing in found]
    kept = fitting(_COLUMNS, rows, _LEFT_OUT, {_WHY: _LEAST_WRAPPED})
    table = heading(*(_COLUMNS[place] for place in kept), right=_NUMBERS, wrapped=[_WHY])
    for row in rows:
        table.add_row(*(row[place] for place in kept))
    show(table)


def state(gate: AccountGate) -> str:
    """Whether an account's calls may start: `running`, `paused` by hand, `tripped` by its breaker, or `held`."""
    if gate.paused:
        return "paused"
    if gate.breaker:
        return "tripped"
    return "held" if gate.hold_until_ms else RUNNING


def document(standing: Standing) -> dict[str, Any]:
    """An account as JSON; what the settings here do not say is null."""
    own, gate = standing.settings, standing.gate
    return {
        "account": standing.name,
        "state": state(gate),
        "platform": own.host if own else None,
        "key": own.has_key if own else None,
        "max_concurrent_calls": own.max_concurrent_calls if own else None,
        "max_calls_per_second": own.max_calls_per_second if own else None,
        "burst": own.burst if own else None,
        "max_references_per_call": own.max_references_per_call if own else None,
        "limit": gate.limit,
        "calls_per_second": gate.calls_per_second,
        "list_size": gate.list_size,
        "list_refused": gate.list_refused,
        "breaker": breaker_document(gate),
        "breaker_opened": gate.breaker_opened,
        "held_until": rfc3339(gate.hold_until_ms or None),
        "held_because": gate.hold_why or None,
        "calls_in_flight": gate.calls_in_flight,
        "workers": standing.workers,
    }


async def _look() -> list[Standing]:
    settings = load()
    async with session.ledger_of(settings) as opened:
        return await _standings(opened.ledger, settings)


async def _standings(ledger: Ledger, settings: Settings) -> list[Standing]:
    served = await ledger_accounts.served(ledger)
    names = sorted({*settings.account_names, *served, *await ledger_accounts.known(ledger)})
    return [
        Standing(
            name,
            settings.of(name) if name in settings.account_names else None,
            await ledger_accounts.gate(ledger, name),
            served.get(name, False),
        )
        for name in names
    ]


def _row(standing: Standing) -> tuple["Text", ...]:
    own, gate, now = standing.settings, standing.gate, state(standing.gate)
    return (
        cell(standing.name, "bold"),
        cell(now, _STYLES.get(now, "yellow")),
        cell(own.host if own else "not in these settings"),
        cell(("set" if own.has_key else "none") if own else ""),
        cell(_calls(own) if own else ""),
        cell(gate.calls_in_flight),
        cell(gate.list_size or (own.max_references_per_call if own else "")),
        cell(standing.workers),
        cell(_held_back(standing)),
    )


def _calls(own: AccountSettings) -> str:
    rate = f", {own.max_calls_per_second:g}/s" if own.max_calls_per_second else ""
    return f"{own.max_concurrent_calls}{rate}"


def why(account: str, gate: AccountGate) -> str:
    """What keeps an account from going on; nothing where it runs."""
    if gate.paused:
        return f"`{resume_command(account)}` lets it go on"
    if gate.breaker:
        return f"{gate.breaker.why}; probed next at {wording.clock(gate.breaker.next_probe_ms)}"
    return f"until {wording.clock(gate.hold_until_ms)}: {gate.hold_why}" if gate.hold_until_ms else ""


def _held_back(standing: Standing) -> str:
    """What keeps it from going on, or holds it back."""
    if stopped := why(standing.name, standing.gate):
        return stopped
    if not standing.served:
        return "no worker serves it"
    refused = standing.gate.list_refused
    return f"{refused} references a call were refused (HTTP 413)" if refused else ""
