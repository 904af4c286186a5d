"""What `cancellist pause`, `resume`, `continue` and `abort` do."""

import sys

from cancellist.cli import session
from cancellist.cli.actions import identity
from cancellist.cli.actions.confirmation import agreed
from cancellist.cli.actions.whereabouts import whereabouts
from cancellist.cli.error_report import DeclinedError
from cancellist.cli.output import wording
from cancellist.cli.output.environment import banner
from cancellist.cli.terminal import emit, say
from cancellist.config.loading import load
from cancellist.jobs.diagnostics import advice
from cancellist.jobs.ledger import account_status, accounts, control, drains, hosts, records, snapshots
from cancellist.jobs.ledger.accounts import AccountGate
from cancellist.jobs.ledger.snapshots import Snapshot
from cancellist.jobs.ledger.views import json_views
from cancellist.jobs.model import Outcome


def pause(job: str | None, account: str, *, as_json: bool) -> None:
    """Pauses a job, or an account if no job is given."""
    if job is None:
        gate = session.run(_pause_account(account))
        say(f"account {account} is paused with all its jobs: `{advice.resume_command(account)}` resumes it")
        _show_account(account, gate, as_json=as_json)
    else:
        seen = session.run(_pause_job(job))
        if seen.record.in_flight:
            say(f"{wording.references(seen.record.in_flight)} are in flight: their calls end normally")
        show_job(seen, as_json=as_json)


def resume(job: str | None, account: str, host: str | None, *, as_json: bool) -> None:
    """Resumes a job, or an account if no job is given; `host` confirms the account's new host."""
    if job is None:
        gate = session.run(_resume_account(account, host))
        say(f"account {account} is resumed; jobs that were paused by their id stay paused")
        if gate.stopped:
            say(f"all accounts are stopped: {wording.all_stopped(gate.stopped)}")
        _show_account(account, gate, as_json=as_json)
    else:
        seen = session.run(_go_on(job, control.resume_job))
        gate = seen.gate
        if gate.stopped:
            say(f"all accounts are stopped: {wording.all_stopped(gate.stopped)}")
        if gate.paused:
            say(f"its account is paused: `{advice.resume_command(seen.record.order.account)}` resumes it")
        _say_why_held(seen)
        show_job(seen, as_json=as_json)
    if gate.workers == 0:
        say(wording.START_A_WORKER)


def continue_(job: str, *, as_json: bool) -> None:
    """Lets a halted job go on."""
    seen = session.run(_go_on(job, control.continue_job))
    _say_why_held(seen)
    show_job(seen, as_json=as_json)
    if seen.gate.workers == 0:
        say(wording.START_A_WORKER)


def _say_why_held(seen: Snapshot) -> None:
    """Tells what a job waits for that is let go on and does not start: an approval, its hold or its start."""
    if why := wording.waits_for_approval(seen) or wording.waits_for_its_time(seen):
        say(why)


def abort(job: str, *, sure: bool, as_json: bool) -> None:
    """Aborts a job, after the user has confirmed it."""
    if not sure:
        _make_sure(job)
    seen = session.run(_abort(job))
    if number := seen.outcomes.get(Outcome.ABORTED):
        say(f"{wording.references(number)} aborted, never sent")
    if left := seen.record.total - seen.record.settled:
        say(f"{wording.references(left)} may have been sent and still get results: `cancellist watch {job}` shows them")
    show_job(seen, as_json=as_json)


def _make_sure(job: str) -> None:
    """Asks for confirmation, unless the job has ended already.

    Raises:
        DeclinedError: the user did not confirm.
    """
    seen, settings = session.run(_look(job)), load()
    left = seen.record.total - seen.record.settled
    if seen.record.state.ended:
        return
    try:
        place = whereabouts(seen.record.order.account, seen.gate.platforms, settings)
        sure = agreed(
            f"Abort job {job}, {wording.references(left)} of {seen.record.total:,} left?", above=banner(place)
        )
    except KeyboardInterrupt:
        say("")  # ends the line of the question
        say("nothing was aborted")
        raise
    if not sure:
        raise DeclinedError(f"nothing was aborted: job {job} is {seen.record.state} as before")


async def _look(job: str) -> Snapshot:
    async with session.ledger_of(load()) as opened:
        return await snapshots.look(opened.ledger, job)


async def _pause_job(job: str) -> Snapshot:
    async with session.ledger_of(load()) as opened:
        await control.pause_job(opened.ledger, job)
        return await snapshots.look(opened.ledger, job)


async def _go_on(job: str, let: control.LettingGoOn) -> Snapshot:
    """Lets a job go on, and has workers woken for it."""
    settings = load()
    async with session.ledger_of(settings) as opened:
        account = (await records.get(opened.ledger, job)).order.account
        _, names = await let(opened.ledger, job, settings.of(account).max_references_per_call)
        seen = await snapshots.look(opened.ledger, job)
        await drains.schedule(opened.ledger, account, names)
        return seen


async def _abort(job: str) -> Snapshot:
    async with session.ledger_of(load()) as opened:
        await control.abort_job(opened.ledger, job)
        return await snapshots.look(opened.ledger, job)


async def _pause_account(account: str) -> AccountGate:
    settings = load()
    async with session.ledger_of(settings) as opened:
        await session.check_account(opened.ledger, settings, account)
        await control.pause_account(opened.ledger, account)
        return await accounts.gate(opened.ledger, account)


async def _resume_account(account: str, host: str | None) -> AccountGate:
    settings = load()
    async with session.ledger_of(settings) as opened:
        await session.check_account(opened.ledger, settings, account)
        if host is not None:
            await hosts.check(opened.ledger, account, host, identity.person(settings))
        names = await control.resume_account(opened.ledger, account, settings.of(account).max_references_per_call)
        await drains.schedule(opened.ledger, account, names)
        return await accounts.gate(opened.ledger, account)


def show_job(seen: Snapshot, *, as_json: bool) -> None:
    """Prints the state of a job, or its document."""
    if as_json:
        emit(json_views.job_view(seen))
    else:
        sys.stdout.write(f"{seen.record.state}\n")


def _show_account(account: str, gate: AccountGate, *, as_json: bool) -> None:
    state = account_status.state(gate)
    if as_json:
        calls, workers = gate.calls_in_flight, gate.workers
        emit({"account": account, "state": state, "calls_in_flight": calls, "workers": workers})
    else:
        sys.stdout.write(f"{state}\n")
