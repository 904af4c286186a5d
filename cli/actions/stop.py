"""What `cancellist stop` and `cancellist resume --all` do."""

import sys

from cancellist.cli import session
from cancellist.cli.actions import identity
from cancellist.cli.output import wording
from cancellist.cli.terminal import emit, say
from cancellist.config.loading import load
from cancellist.jobs.ledger import account_status, stop_all
from cancellist.jobs.ledger.account_status import AccountStatus
from cancellist.jobs.ledger.stop_all import AllStopped
from cancellist.jobs.ledger.views.json_views import stop_view


def stop(reason: str | None, *, as_json: bool) -> None:
    """Stops all accounts."""
    fresh, stopped, accounts = session.run(_stop(reason or ""))
    if not fresh:
        say(f"all accounts were stopped before: {wording.all_stopped(stopped)}" if stopped else _GOES_ON_AGAIN)
    elif stopped:
        calls = sum(status.gate.calls_in_flight for status in accounts)
        say("all accounts are stopped, and no call starts any more" + (f"; {_in_flight(calls)}" if calls else ""))
        say(f"`{wording.RESUME_ALL}` lets them go on")
    _show(stopped, accounts, as_json=as_json)


def resume_all(*, as_json: bool) -> None:
    """Lets all accounts go on."""
    stood, stopped, accounts = session.run(_resume())
    if stood is None:
        say("nothing was stopped as a whole: all accounts stay as they are")
    else:
        say(f"all accounts go on; they were stopped {wording.stop(stood)}")
    for status in accounts:
        if status.gate.paused:
            say(f"account {status.name} stays paused: {wording.stopped_why(status.name, status.gate)}")
    if not any(status.workers for status in accounts):
        say(wording.START_A_WORKER)
    _show(stopped, accounts, as_json=as_json)


_GOES_ON_AGAIN = "somebody has let all accounts go on meanwhile: give the command again if they must not"


def _in_flight(calls: int) -> str:
    return "1 call is in flight and ends normally" if calls == 1 else f"{calls} calls are in flight and end normally"


async def _stop(reason: str) -> tuple[bool, AllStopped | None, list[AccountStatus]]:
    settings = load()
    async with session.ledger_of(settings) as opened:
        fresh = await stop_all.stop(opened.ledger, identity.person(settings), reason)
        return fresh, await stop_all.standing(opened.ledger), await account_status.statuses(opened.ledger, {})


async def _resume() -> tuple[AllStopped | None, AllStopped | None, list[AccountStatus]]:
    async with session.ledger_of(load()) as opened:
        stood = await stop_all.resume(opened.ledger)
        return stood, await stop_all.standing(opened.ledger), await account_status.statuses(opened.ledger, {})


def _show(stopped: AllStopped | None, accounts: list[AccountStatus], *, as_json: bool) -> None:
    if as_json:
        emit(stop_view(stopped, accounts))
    else:
        sys.stdout.write("stopped\n" if stopped else "running\n")
